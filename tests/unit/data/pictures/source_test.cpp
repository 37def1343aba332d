#include "mas/data/pictures/source.h"

#include "mas/data/export_data.h"
#include "mas/data/identity.h"
#include "unit/data/pictures/picture_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

const std::string kSet = kSets + "imagefolder/";

int ramp(int y, int x, int c) { return 10 * y + x + 80 * c; }

std::string identity(const std::string& text) {
  const auto spec = mas::DataSpec::parse(text);
  return mas::identity_of(*mas::open_dataset(spec, {}), spec, {});
}

}  // namespace

TEST_CASE("PNG files have exactly the pixels of the CIFAR records that they were made of") {
  if (!std::filesystem::exists(kSet)) {
    MESSAGE("skipped: no " << kSet);
    return;
  }
  Folder folder;
  std::string list;
  std::vector<int64_t> records;
  for (const auto& row : table(kSet + "clean.tsv")) {
    if (!contains(row[6], "identical")) continue;
    list += kSet + "clean/" + row[0] + "," + row[1] + "\n";
    records.push_back(std::stoll(row[5]));
  }
  CHECK(records.size() == 80);
  const auto path = folder.write("list.csv", list);
  const auto cifar = open(kSets + "cifar10-subset/data_batch_1_records_0000-1999.bin");
  CHECK(at::equal(images(path), cifar->images(records)));
  CHECK(at::equal(labels(path), cifar->labels(records)));  // CIFAR's classes are in the order of their names
}

TEST_CASE("rows come as bytes in the order that is asked for, and more than once") {
  Folder folder;
  for (int i = 0; i < 40; ++i) write_below(folder, fmt::format("c/{:02}.bmp", i), bmp(3, 2, i));
  const auto data = open(folder.path());
  CHECK(data->size() == 40);
  CHECK(data->sample_shape() == std::vector<int64_t>{3, 3, 2});
  CHECK((data->stored_type() == at::kByte));
  const auto got = data->images({7, 7, 39, 0}) * 255;
  CHECK(at::equal(got.round(), torch::tensor({7.f, 7.f, 39.f, 0.f}).reshape({4, 1, 1, 1}).expand({4, 3, 3, 2})));
}

TEST_CASE("size and crop make one size of many") {
  Folder folder;
  write_below(folder, "c/a.bmp", bmp(4, 6, ramp));
  write_below(folder, "c/b.bmp", bmp(7, 5, ramp));
  const auto bytes = [](int height, int width, int top, int left) {
    std::vector<float> values;
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) values.push_back(static_cast<float>(ramp(top + y, left + x, c)));
    return torch::tensor(values).reshape({1, 3, height, width});
  };
  const auto cropped = images(folder.path() + ",crop=3x4") * 255;
  CHECK(at::equal(cropped.round(), at::cat({bytes(3, 4, 0, 1), bytes(3, 4, 2, 0)})));
  CHECK(images(folder.path() + ",size=9x8").sizes() == at::IntArrayRef({2, 3, 9, 8}));
  CHECK(images(folder.path() + ",size=9,crop=8x5,pad=1").sizes() == at::IntArrayRef({2, 3, 10, 7}));
  CHECK((open(folder.path() + ",size=9")->stored_type() == at::kByte));
  // As other data are resized, rounded to bytes.
  const auto plain = images(folder / "c" + ",limit=1,size=4x6");
  mas::export_hdf5(*open(folder / "c" + ",limit=1,size=4x6"), folder / "plain.h5");
  for (const char* keys : {",size=5x9", ",size=5", ",size=3,crop=2"})
    CHECK(at::allclose(images(folder / "c" + ",limit=1" + keys), images(folder / "plain.h5" + keys), 0, 0.5001 / 255));
  CHECK(at::equal(plain * 255, bytes(4, 6, 0, 0)));
}

TEST_CASE("a picture much larger than wanted is shrunk by means, not by leaving pixels out") {
  Folder folder;
  const auto checks = [](int y, int x, int) { return (x + y) % 2 * 200; };
  write_below(folder, "c/a.bmp", bmp(40, 60, checks));
  for (const char* keys : {",size=4x6", ",size=10x7", ",size=4"}) {
    CAPTURE(keys);
    CHECK((images(folder.path() + keys) * 255 - 100).abs().max().item<float>() < 1);
  }
}

TEST_CASE("pictures of several sizes are an error before any is decoded, and so are files that are none") {
  Folder folder;
  write_below(folder, "c/a.bmp", bmp(4, 6, 1));
  const auto other = write_below(folder, "c/b.bmp", bmp(4, 5, 1));
  const auto opening = [&](const std::string& keys) {
    try {
      open(folder.path() + keys);
    } catch (const mas::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(opening("") == other + ": 4 x 5 pixels (height x width), but " + folder.path() +
                           "/c/a.bmp has 4 x 6; size=N or size=HxW makes them equal");
  CHECK(contains(opening(",crop=4x6"), other + ": 4 x 5 pixels (height x width), less than crop=4x6"));
  CHECK(opening(",size=3") == "");
  CHECK(opening(",limit=1") == "");
  const auto text = write_below(folder, "c/text.jpg", "no picture\n");
  CHECK(contains(opening(",size=3"), text + ": text, not a picture"));
  const auto empty = write_below(folder, "c/empty.png", "");
  CHECK(contains(opening(",size=3"), empty + ": empty file (the first of 2 files that can't be used)"));
  std::filesystem::create_symlink("/nowhere/x.png", folder / "c/aa.png");
  CHECK(contains(opening(",size=3"), "c/aa.png: no such file or directory (the first of 3 files"));
}

TEST_CASE("of several damaged files in a batch the first is named") {
  Folder folder;
  for (int i = 0; i < 30; ++i) {
    const auto whole = bmp(3, 2, i);
    write_below(folder, fmt::format("c/{:02}.bmp", i), i % 10 == 9 ? whole.substr(0, whole.size() - 1) : whole);
  }
  for (int n = 0; n < 5; ++n) CHECK(contains(failure(folder.path()), "c/09.bmp: ends early: 77 bytes of a longer BMP"));
}

TEST_CASE("pictures are told from others by their files, whatever is made of them") {
  Folder folder;
  write_below(folder, "c/a.bmp", bmp(4, 6, 1));
  write_below(folder, "d/b.bmp", bmp(5, 6, 2));
  const auto before = identity(folder.path() + ",size=4");
  CHECK(identity(folder.path() + ",size=4,normalize=imagenet") == before);
  write_below(folder, "d/b.bmp", bmp(5, 6, 3));
  CHECK(identity(folder.path() + ",size=4") != before);
}
