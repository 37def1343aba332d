#include "mas/data/dataset.h"

#include <zlib.h>

#include <fmt/format.h>

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

bool present() {
  const bool there = std::filesystem::exists(kSets);
  if (!there) MESSAGE("skipped: no " << kSets);
  return there;
}

// Nearest class mean as datasets/README.md defines it: exact, and wrong as soon as images, labels or order are.
int64_t nearest_class_mean(const std::string& train, const std::string& test, double unit) {
  const auto x = images(train).to(at::kDouble).mul(unit).round().flatten(1), y = labels(train);
  const int64_t classes = y.max().item<int64_t>() + 1;
  const auto one_hot = at::one_hot(y, classes).to(at::kDouble);
  const auto means = one_hot.t().mm(x) / one_hot.sum(0).unsqueeze(1);
  const auto t = images(test).to(at::kDouble).mul(unit).round().flatten(1);
  const auto distance = means.pow(2).sum(1).unsqueeze(0) - 2 * t.mm(means.t());
  return distance.argmin(1).eq(labels(test)).sum().item<int64_t>();
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

TEST_CASE("MNIST is read as its description says") {
  if (!present()) return;
  const auto train = open("mnist"), test = open("mnist,split=test");
  CHECK(train->size() == 60000);
  CHECK(test->size() == 10000);
  CHECK(train->sample_shape() == std::vector<int64_t>{1, 28, 28});
  CHECK((train->stored_type() == at::kByte));
  CHECK(train->classes() == std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK((train->images({0}) * 255).round().sum().item<float>() == 27525);
  CHECK((test->images({0}) * 255).round().sum().item<float>() == 18454);
  const auto counts = at::bincount(train->labels(all_rows(*train)));
  CHECK(at::equal(counts, torch::tensor({5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}, at::kLong)));
  const std::vector<int64_t> first{0, 1, 2, 3, 4};
  CHECK(at::equal(train->labels(first), torch::tensor({5, 0, 4, 1, 9}, at::kLong)));
}

TEST_CASE("the nearest class mean has the known accuracy on each set") {
  if (!present()) return;
  CHECK(nearest_class_mean("mnist", "mnist,split=test", 255) == 8203);
  CHECK(nearest_class_mean("fashion-mnist", "fashion-mnist,split=test", 255) == 6768);
  CHECK(nearest_class_mean("optdigits", "optdigits,split=test", 1) == 1606);
  CHECK(nearest_class_mean(kSets + "cifar10-subset/data_batch_1_records_0000-1999.bin",
                           kSets + "cifar10-subset/data_batch_1_records_2000-2999.bin", 255) == 271);
}

TEST_CASE("a folder of CIFAR batches is read in the order of their names") {
  if (!present()) return;
  const auto data = open("cifar10-subset");
  CHECK(data->size() == 3000);
  CHECK(data->sample_shape() == std::vector<int64_t>{3, 32, 32});
  CHECK((data->images({0}) * 255).round().sum().item<float>() == 317790);
  CHECK((data->images({2000}) * 255).round().sum().item<float>() == 384703);
  const std::vector<int64_t> across{2999, 1999, 2000, 0};
  CHECK(at::equal(data->images(across), images("cifar10-subset").index({torch::tensor({2999, 1999, 2000, 0})})));
  CHECK(contains(failure("cifar10-subset,split=test"), "no test part"));
  CHECK(open("cifar10-subset,split=test:0.8")->size() == 600);
}

TEST_CASE("CIFAR-100 records are told from CIFAR-10's by their size and use the fine label") {
  Folder folder;
  std::string records;
  for (int i = 0; i < 3; ++i)
    records += std::string{'\x01', static_cast<char>(97 + i)} + std::string(3072, char(i + 1));
  const auto path = folder.write("train.bin", records);
  CHECK(at::equal(labels(path), torch::tensor({97, 98, 99}, at::kLong)));
  CHECK(images(path).select(0, 2).min().item<float>() == 3 / 255.0f);
}

TEST_CASE("a separator in a quoted field of CSV is text") {
  Folder folder;
  const auto want = torch::tensor({{1.5f, -2.0f}, {3.0f, 4.0f}});
  for (const char* text :
       {"\"width, mm\",\"a \"\"b\"\", c\",class\n1.5,\"-2\",0\n \"3\" ,4,\"1\"\n",
        "\"a,b,c,d\";\"e\";\"f\"\n1.5;-2;0\n3;4;1\n", "5\" disk,6\" disk,class\n1.5,-2,0\n3,4,1\n"}) {
    CAPTURE(text);
    CHECK(at::equal(images(folder.write("q.csv", text)), want));
    CHECK(at::equal(labels(folder / "q.csv"), torch::tensor({0, 1}, at::kLong)));
  }
  CHECK(contains(failure(folder.write("e.csv", "1,2,0\n\"1,5\",2,0\n")), "line 2, column 1: '1,5' is no number"));
}

TEST_CASE("a path that isn't found is looked up in the data folders, whole and by its last name") {
  Folder folder;
  std::filesystem::create_directories(folder / "sets/old");
  folder.write("sets/old/a.csv", "1,0\n2,1\n");
  folder.write("sets/b.csv", "1,0\n2,1\n3,1\n");
  mas::OpenOptions options;
  options.directories = {folder / "sets"};
  const auto size = [&](const std::string& spec) {
    return mas::open_dataset(mas::DataSpec::parse(spec), options)->size();
  };
  CHECK(size("old/a.csv") == 2);
  CHECK(size("gone/deep/b.csv") == 3);
  CHECK(size("/gone/b.csv") == 3);
  CHECK_THROWS_WITH_AS(size("gone/c.csv"),
                       ("gone/c.csv: not found, nor c.csv in " + options.directories[0] +
                        "; name the folder that it is in with --data-dir or MAS_DATA")
                           .c_str(),
                       mas::Error);
}

TEST_CASE("labels that nobody wants aren't read, whatever is wrong with them") {
  Folder folder;
  const auto csv = folder.write("a.csv", "1.5,-2,-1\n0.25,3,cat\n");
  const auto cifar = folder.write("a.bin", std::string(1, '\x7f') + std::string(3072, '\x01'));
  const auto idx_images = folder.write("a-images-idx3-ubyte", idx({2, 1, 1}, "ab"));
  folder.write("a-labels-idx1-ubyte", "nonsense");
  for (const auto& path : {csv, cifar, idx_images}) {
    CAPTURE(path);
    CHECK(failure(path) != "");
    const auto data = open(path, false);
    CHECK_FALSE(data->has_labels());
    CHECK(data->images({0}).numel() > 0);
  }
  CHECK(at::equal(open(csv, false)->images({0, 1}), torch::tensor({1.5f, -2.f, 0.25f, 3.f}).reshape({2, 2})));
}

TEST_CASE("plain, packed and renamed IDX files are the same data") {
  Folder folder;
  std::string values;
  for (int i = 0; i < 5 * 6 * 7; ++i) values += static_cast<char>(i * 37);
  const auto plain = folder.write("a-images-idx3-ubyte", idx({5, 6, 7}, values));
  folder.write("a-labels-idx1-ubyte", idx({5}, {1, 0, 3, 2, 1}));
  const auto packed = folder.write("b-images-idx3-ubyte.gz", gzip(idx({5, 6, 7}, values)));
  folder.write("b-labels-idx1-ubyte.gz", gzip(idx({5}, {1, 0, 3, 2, 1})));
  const auto renamed = folder.write("photos.csv", gzip(idx({5, 6, 7}, values)));
  const auto text = folder.write("labels.txt", "1\n0\n3\n2\n1\n");
  CHECK(images(plain).sizes() == at::IntArrayRef({5, 1, 6, 7}));
  CHECK(images(plain).flatten()[1].item<float>() == 37 / 255.0f);
  CHECK(at::equal(images(plain), images(packed)));
  CHECK(at::equal(images(plain), images(renamed)));
  CHECK(at::equal(labels(plain), labels(packed)));
  CHECK(at::equal(labels(plain), labels(renamed + ",labels=" + text)));
  CHECK_FALSE(open(renamed)->has_labels());
  CHECK_FALSE(open(plain + ",labels=none")->has_labels());
  CHECK_FALSE(open(plain, false)->has_labels());
}

TEST_CASE("IDX of other ranks keeps its shape") {
  Folder folder;
  CHECK(images(folder.write("r2", idx({2, 3}, "abcdef"))).sizes() == at::IntArrayRef({2, 3}));
  CHECK(images(folder.write("r4", idx({1, 3, 2, 1}, "abcdef"))).sizes() == at::IntArrayRef({1, 3, 2, 1}));
}

TEST_CASE("a packed file can't unpack to more than its header says") {
  Folder folder;
  const std::string zeros(50 << 20, '\0');
  CHECK(contains(failure(folder.write("bomb", gzip(idx({1, 28, 28}, zeros)))), "unpacks to more than the 800 bytes"));
  CHECK(contains(failure(folder.write("liar", gzip(idx({0xffffffff, 28, 28}, "x")))), "too short"));
  CHECK(contains(failure(folder.write("text", gzip(std::string(300 << 20, '1')))), "unpacks to over 200 times"));
}

TEST_CASE("unpacking into a folder that isn't there is an error that names it") {
  Folder folder;
  const auto path = folder.write("x", gzip(idx({1, 2}, "ab")));
  mas::OpenOptions options;
  options.scratch = folder / "nowhere";
  CHECK_THROWS_WITH_AS(mas::open_dataset(mas::DataSpec::parse(path), options),
                       doctest::Contains("nowhere: can't keep data there: no such file"), mas::Error);
}

TEST_CASE("CSV comes with commas, semicolons or tabs, with and without a header") {
  Folder folder;
  const auto expected = torch::tensor({{1.5f, -2.0f}, {0.25f, 1e10f}});
  int i = 0;
  for (const char* text : {"1.5,-2,7\n0.25,1e10,9\n", "1.5;-2;7\n0.25;1e10;9", "1.5\t-2\t7\r\n\r\n0.25\t1e10\t9\r\n",
                           "x,y,label\n1.5,-2,7\n0.25,1e10,9\n", "0,1,label\n1.5,-2,7\n0.25,1e10,9\n",
                           "\"1.5\", \"-2\", 7\n0.25 ,+1e10, 9.0\n"}) {
    const auto path = folder.write(std::to_string(i++), text);
    CAPTURE(text);
    CHECK(at::equal(images(path), expected));
    CHECK(at::equal(labels(path), torch::tensor({7, 9}, at::kLong)));
  }
  const auto first = folder.write("first", "label,a,b\n7,1.5,-2\n9,0.25,1e10\n");
  CHECK(at::equal(images(first + ",labels=first"), expected));
  CHECK(at::equal(labels(first + ",labels=first"), torch::tensor({7, 9}, at::kLong)));
  const auto bare = folder.write("bare", "1.5,-2\n0.25,1e10\n");
  CHECK(at::equal(images(bare + ",labels=none"), expected));
  CHECK_FALSE(open(bare + ",labels=none")->has_labels());
}

TEST_CASE("CSV that can't be meant is refused by line and column") {
  Folder folder;
  const auto cause = [&](const std::string& text) { return failure(folder.write("c.csv", text)); };
  CHECK(contains(cause("1,2,3\n1,2\n"), "line 2 has 2 columns, the first line has 3"));
  CHECK(contains(cause("1,2,3\n1,x,3\n"), "line 2, column 2: 'x' is no number"));
  CHECK(contains(cause("1,x,3\n1,2,3\n"), "line 1, column 2"));
  CHECK(contains(cause("1,,3\n"), "line 1, column 2: '' is no number"));
  CHECK(contains(cause("1,inf,3\n"), "no finite number"));
  CHECK(contains(cause("1,1e99,3\n"), "no finite number"));
  CHECK(contains(cause("1,2,0.5\n"), "'0.5' is no label"));
  CHECK(contains(cause("1,2,-1\n"), "'-1' is no label"));
  CHECK(contains(cause("a,b,c\n"), "no rows"));
  CHECK(contains(cause("\n\n"), "no rows"));
  CHECK(contains(cause("5\n"), "line 1 has one column"));
}

TEST_CASE("a class filter keeps file order and lists classes in its own") {
  if (!present()) return;
  const auto all = labels("mnist,split=test");
  const auto data = open("mnist,split=test,classes=7;1-2");
  CHECK(data->classes() == std::vector<int64_t>{7, 1, 2});
  CHECK(at::equal(data->images(all_rows(*data)),
                  images("mnist,split=test").index({all.eq(7).logical_or(all.eq(1)).logical_or(all.eq(2))})));
  const auto chosen = all.index({all.eq(7).logical_or(all.eq(1)).logical_or(all.eq(2))});
  CHECK(at::equal(data->labels(all_rows(*data)), chosen));
  CHECK(open("mnist,split=test,classes=7;1-2,limit=10")->size() == 10);
  CHECK(contains(failure("mnist,classes=9-10"), "no class 10, there are 0-9"));
  CHECK(open("mnist,classes=1", false)->size() == 6742);
}

TEST_CASE("a class filter without labels is an error") {
  Folder folder;
  CHECK(contains(failure(folder.write("x", idx({1, 2}, "ab")) + ",classes=1"), "needs labels"));
}

TEST_CASE("a share of the rows and the rest of them are all rows once") {
  Folder folder;
  std::string text;
  for (int i = 0; i < 100; ++i) text += std::to_string(i) + ",0\n";
  const auto path = folder.write("rows.csv", text);
  const auto train = images(path + ",split=0.8,seed=3"), test = images(path + ",split=test:0.8,seed=3");
  CHECK(train.size(0) == 80);
  CHECK(test.size(0) == 20);
  CHECK(at::equal(std::get<0>(at::sort(at::cat({train, test}).flatten())), at::arange(100, at::kFloat)));
  CHECK(at::equal(train, std::get<0>(at::sort(train, 0))));
  CHECK_FALSE(at::equal(test, images(path + ",split=test:0.8,seed=4")));
  CHECK(contains(failure(path + ",split=test"), "split=0.8 in training"));
  CHECK(contains(failure(path + ",split=test:0.999"), "no samples are left"));
}

TEST_CASE("a name that isn't found says where it was looked for and how to fetch it") {
  mas::OpenOptions options;
  options.directories = {"/nowhere/a", "/nowhere/b"};
  const auto open_name = [&](const char* name) { mas::open_dataset(mas::DataSpec::parse(name), options); };
  CHECK_THROWS_WITH_AS(open_name("mnist"),
                       "mnist: not found here, in /nowhere/a or in /nowhere/b; name the folder that holds it "
                       "with --data-dir or MAS_DATA, or fetch it with data/fetch/mnist.sh",
                       mas::Error);
  CHECK_THROWS_WITH_AS(open_name("other"), doctest::Contains("MAS_DATA"), mas::Error);
}

TEST_CASE("folders without known data, devices and unknown bytes are refused") {
  Folder folder;
  CHECK(contains(failure(folder.path()), "a folder without data that are known"));
  CHECK(contains(failure("/dev/zero"), "not a regular file"));
  CHECK(contains(failure(folder.write("x", std::string("\x01\x02\x03\x04", 4))), "begins with 01020304"));
  CHECK(contains(failure(folder.write("y", idx({1, 2}, "ab")) + ",labels=first"),
                 "labels=first is for CSV, and this is IDX"));
}

TEST_CASE("rows out of range are an error") {
  const auto data = open("glyphs,samples=10");
  CHECK_THROWS_AS(data->images({10}), mas::Error);
  CHECK_THROWS_AS(data->images({-1}), mas::Error);
  CHECK_THROWS_AS(data->labels({10}), mas::Error);
}

TEST_CASE("normalize=auto measures the whole training part") {
  Folder folder;
  const auto path = folder.write("v.csv", "1,5,0\n3,7,1\n");
  CHECK(at::allclose(images(path + ",normalize=auto,classes=1"), (torch::tensor({{3.0, 7.0}}) - 4) / std::sqrt(5.0)));
  // Far from 0, or all very small, there still is a deviation; of equal values there is none.
  for (const auto& [offset, unit] : {std::pair{1e6, 1.0}, std::pair{0.0, 1e-9}}) {
    const auto far = folder.write("far.csv", fmt::format("{0},0\n{1},1\n{0},0\n{1},1\n", offset, offset + unit));
    CHECK(at::allclose(images(far + ",normalize=auto").flatten(), torch::tensor({-1.0f, 1.0f, -1.0f, 1.0f}), 1e-3));
  }
  CHECK(images(folder.write("same.csv", "0.1,0\n0.1,1\n0.1,1\n") + ",normalize=auto").abs().max().item<float>() < 1e-6);
  if (!present()) return;
  const auto data = images("mnist,split=test,normalize=auto,limit=500");
  CHECK(at::allclose(data, (images("mnist,split=test,limit=500") - 0.1306604762738429) / 0.30810780717887876, 1e-5,
                     1e-5));
}
