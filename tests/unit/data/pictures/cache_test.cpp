#include "mas/data/pictures/cache.h"

#include <chrono>

#include <fmt/format.h>

#include "unit/data/pictures/picture_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;
namespace fs = std::filesystem;

namespace {

int ramp(int y, int x, int c) { return 10 * y + x + 80 * c; }

// 70 pictures in two classes, so that a cache is made in two lots; and a test part.
void write_pictures(const Folder& folder) {
  for (int i = 0; i < 70; ++i)
    write_below(folder, fmt::format("train/{}/{:02}.bmp", i % 2 ? "odd" : "even", i), bmp(3, 2, i));
  write_below(folder, "train/odd/large.bmp", bmp(5, 7, ramp));
  write_below(folder, "test/odd/1.bmp", bmp(3, 2, 200));
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a cache has the pictures as they are decoded, for each part, and is read in their place") {
  Folder folder, other;
  write_pictures(folder);
  for (const std::string keys : {",size=3x2", ",size=4,crop=2x3,normalize=0.5:0.5", ",crop=2"}) {
    CAPTURE(keys);
    const auto cache = other / "c.h5";
    const auto plain = folder.path() + keys, fast = plain + ",cache=" + cache;
    CHECK(at::equal(images(fast), images(plain)));
    CHECK(at::equal(images(fast), images(plain)));  // read back
    CHECK(at::equal(labels(fast), labels(plain)));
    CHECK(at::equal(images(fast + ",split=test"), images(plain + ",split=test")));
    CHECK(fs::exists(other / "c-test.h5"));
    CHECK(at::equal(images(fast + ",split=0.3,classes=1"), images(plain + ",split=0.3,classes=1")));
    CHECK(open(fast)->class_name(1) == "odd");
    CHECK(open(fast)->stored(3) == open(plain)->stored(3));
  }
  // It is HDF5, and data in itself.
  CHECK(at::equal(images(other / "c.h5"), images(folder.path() + ",crop=2")));
}

TEST_CASE("a cache isn't made again for the same pictures, and is for others") {
  Folder folder, other;
  write_pictures(folder);
  const auto spec = folder.path() + ",size=2,cache=" + (other / "c.h5");
  images(spec);
  const auto made = fs::last_write_time(other / "c.h5");
  const auto before = bytes_of(other / "c.h5");
  images(spec);
  CHECK(fs::last_write_time(other / "c.h5") == made);
  write_below(folder, "train/odd/01.bmp", bmp(3, 2, 99));
  fs::last_write_time(folder / "train/odd/01.bmp", fs::file_time_type::clock::now() + std::chrono::seconds(5));
  CHECK(at::equal(images(spec), images(folder.path() + ",size=2")));
  CHECK(bytes_of(other / "c.h5") != before);
  CHECK(at::equal(images(folder.path() + ",size=3,cache=" + (other / "c.h5")), images(folder.path() + ",size=3")));
}

TEST_CASE("a cache of cut pictures isn't taken for one of pictures that have that size") {
  Folder folder, other;
  write_pictures(folder);
  const auto cache = ",cache=" + (other / "c.h5");
  CHECK(images(folder.path() + ",crop=3x2" + cache).size(0) == 71);
  CHECK(contains(failure(folder.path() + cache), "large.bmp: 5 x 7 pixels (height x width), but "));
}

TEST_CASE("a damaged cache is found out, wherever the damage is, and a file that is none is left alone") {
  Folder folder, other;
  write_pictures(folder);
  const auto cache = other / "c.h5", spec = folder.path() + ",size=3x2,cache=" + cache;
  const auto right = images(spec);
  const auto whole = bytes_of(cache);
  // In what says where things are: made again. In the values or their checksums: an error.
  int found = 0, whole_again = 0;
  for (size_t at = 0; at < whole.size(); at += 13) {
    auto bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    other.write("c.h5", bytes);
    const auto error = failure(spec);
    if (!error.empty()) {
      CHECK((contains(error, "damaged: picture") || contains(error, "no cache of decoded pictures")));
      ++found;
      fs::remove(cache);
      continue;
    }
    CHECK(at::equal(images(spec), right));
    ++whole_again;
  }
  CHECK(found > 20);
  CHECK(whole_again > 20);
  for (size_t size : {size_t{0}, size_t{10}, size_t{30}, size_t{600}, whole.size() - 1}) {
    other.write("c.h5", whole.substr(0, size));
    const auto error = failure(spec);
    if (!error.empty())
      CHECK(contains(error, "c.h5: is there, but no cache of decoded pictures; give cache= the name"));
    if (error.empty()) CHECK(at::equal(images(spec), right));
  }
  other.write("c.h5", "mine");
  CHECK(contains(failure(spec), "no cache of decoded pictures"));
  CHECK(bytes_of(cache) == "mine");
}

TEST_CASE("a file that comes while a cache is made stays, and another process's cache is taken") {
  Folder folder, other;
  write_pictures(folder);
  const auto cache = other / "c.h5", sized = folder.path() + ",size=3x2", spec = sized + ",cache=" + cache;
  const auto right = images(spec);
  const auto whole = bytes_of(cache);
  // cached() reads the pictures while it makes the file, which is when something else comes there.
  const auto made_while = [&](const std::string& before, const std::string& meanwhile, const std::string& identity) {
    fs::remove(cache);
    if (!before.empty()) other.write("c.h5", before);
    mas::Source pictures;
    pictures.rows = 2;
    pictures.shape = {3, 1, 1};
    pictures.read = [&](at::ArrayRef<int64_t> rows, void* out) {
      other.write("c.h5", meanwhile);
      std::fill_n(static_cast<char*>(out), 3 * rows.size(), 1);
    };
    try {
      mas::cached(pictures, identity, cache, true);
    } catch (const mas::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string none = "c.h5: is there, but no cache of decoded pictures; give cache= the name of a new file";
  for (const auto& before : {std::string(), whole}) {
    CHECK(contains(made_while(before, "mine", "other"), none));
    CHECK(bytes_of(cache) == "mine");
  }
  CHECK(made_while("", whole, whole.substr(23, whole.find('\n', 23) - 23)) == "");
  CHECK(bytes_of(cache) == whole);
  CHECK(at::equal(images(spec), right));
}

TEST_CASE("a cache where none can be written, or that would be taken for data, is an error that says what to do") {
  Folder folder, other;
  write_pictures(folder);
  const auto cause = [&](const std::string& cache) { return failure(folder.path() + "/,size=2,cache=" + cache); };
  CHECK(cause(other / "no/c.h5") == other / "no/c.h5: the folder " + other.path() +
                                        "/no doesn't exist; name another file with cache=, or leave it out");
  for (const char* name : {"train.h5", "train/odd/c.h5", "train/../c.h5"}) {
    const auto error = cause(folder / name);
    CHECK(contains(error, std::string(name) + ": lies in the data's own folder, "));
    CHECK(contains(error, ", and would be taken for data; name a file elsewhere with cache="));
  }
  CHECK(cause(folder.path() + "-beside.h5") == "");
  fs::remove(folder.path() + "-beside.h5");
}

TEST_CASE("a cache that may not be made is read where it is, and else the pictures are") {
  Folder folder, other;
  write_pictures(folder);
  const auto text = folder.path() + ",size=2,cache=" + (other / "c.h5");
  mas::OpenOptions options;
  options.make_cache = false;
  const auto first = [&] { return mas::open_dataset(mas::DataSpec::parse(text), options)->images({0, 1}); };
  CHECK(at::equal(first(), open(text.substr(0, text.rfind(',')))->images({0, 1})));
  CHECK_FALSE(fs::exists(other / "c.h5"));
  other.write("c.h5", "mine");
  CHECK_NOTHROW(first());
  CHECK(bytes_of(other / "c.h5") == "mine");
  fs::remove(other / "c.h5");
  images(text);
  auto bytes = bytes_of(other / "c.h5");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);  // so that it is seen which one is read
  other.write("c.h5", bytes);
  options.make_cache = false;
  const auto data = mas::open_dataset(mas::DataSpec::parse(text), options);
  CHECK_THROWS_AS(data->images(all_rows(*data)), mas::Error);
}

TEST_CASE("pictures that are cut as they are read leave no room for a random crop") {
  Folder folder;
  write_pictures(folder);
  const auto data = open(folder.path() + ",crop=2");
  CHECK_THROWS_WITH_AS(
      data->augmented({0}, mas::Augmentation::parse("crop:1"), 0),
      "--augment: needs size= beside crop=, which alone cuts pictures as they are read; add it to the spec",
      mas::Error);
  CHECK_NOTHROW(open(folder.path() + ",size=4,crop=2")->augmented({0}, mas::Augmentation::parse("crop"), 0));
}

TEST_CASE("a damaged picture makes no cache, and data that aren't pictures have none") {
  Folder folder, other;
  write_pictures(folder);
  write_below(folder, "train/odd/03.bmp", bmp(3, 2, 1).substr(0, 60));
  CHECK(contains(failure(folder.path() + ",size=2,cache=" + (other / "c.h5")), "03.bmp"));
  CHECK_FALSE(fs::exists(other / "c.h5"));
  CHECK(failure("glyphs,cache=c.h5") == "glyphs: cache= is for pictures, which have to be decoded; leave it out");
  const auto file = folder.write("a.csv", "1,2\n3,4\n");
  CHECK(contains(failure(file + ",cache=" + (other / "c.h5")), "cache= is for pictures"));
  CHECK(contains(failure(folder.path() + ",cache="), "cache=: must be a file"));
}

TEST_CASE("a folder of lists has a cache for each part, and both the training part's classes") {
  Folder folder;
  write_pictures(folder);
  fs::create_directories(folder / "lists");
  folder.write("lists/train.csv", "../train/even/00.bmp,even\n../train/odd/01.bmp,odd\n");
  folder.write("lists/test.csv", "../test/odd/1.bmp,odd\n");
  const auto plain = folder / "lists,size=2", fast = plain + ",cache=" + (folder / "c.h5");
  for (int i = 0; i < 2; ++i) {
    for (const std::string part : {"", ",split=test"}) {
      CHECK(at::equal(images(fast + part), images(plain + part)));
      CHECK(at::equal(labels(fast + part), labels(plain + part)));
    }
  }
  CHECK(labels(fast + ",split=test")[0].item<int64_t>() == 1);
}
