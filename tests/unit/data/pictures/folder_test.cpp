#include "mas/data/pictures/folder.h"

#include "mas/data/describe.h"
#include "unit/data/pictures/picture_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;
namespace fs = std::filesystem;

namespace {

bool has_test_part(const std::string& path) { return mas::has_test_part(mas::DataSpec::parse(path), {}); }

}  // namespace

TEST_CASE("folders are classes, labelled by the order of their names") {
  Folder folder;
  write_below(folder, "frog/1.bmp", bmp(1, 1, 5));
  write_below(folder, "cat/2.bmp", bmp(1, 1, 3));
  write_below(folder, "cat/10.BMP", bmp(1, 1, 2));
  write_below(folder, "cat/notes.txt", "skipped");
  write_below(folder, "cat/.hidden.bmp", "skipped");
  write_below(folder, ".cache/1.bmp", "skipped");
  write_below(folder, "stray.bmp", "skipped");
  write_below(folder, "two words/\xe2\x98\x83, & $.bmp", bmp(1, 1, 7));
  CHECK(first_values(folder.path()) == std::vector<int>{2, 3, 5, 7});
  CHECK(label_values(folder.path()) == std::vector<int64_t>{0, 0, 1, 2});
  const auto data = open(folder.path());
  CHECK(data->class_name(1) == "frog");
  CHECK(data->class_name(2) == "two words");
  CHECK(data->class_name(3) == "");
  CHECK(mas::describe(*data).classes[0].name == "cat");
  CHECK(first_values(folder.path() + "/,classes=2;0") == std::vector<int>{2, 3, 7});
  CHECK_FALSE(open(folder.path() + ",labels=none")->has_labels());
  CHECK_FALSE(open(folder.path(), false)->has_labels());
  CHECK_FALSE(has_test_part(folder.path()));
  CHECK(contains(failure(folder.path() + ",split=test"), "no test part (a folder test or val); split=0.8"));
  CHECK(open(folder.path() + ",split=test:0.5")->size() == 2);
  CHECK(
      contains(failure(folder.path() + ",labels=first"), "labels=first is for CSV, and this is a folder of pictures"));
}

TEST_CASE("folders within a class belong to it, and links are followed") {
  Folder folder, elsewhere;
  write_below(folder, "a/x/deep/1.bmp", bmp(1, 1, 1));
  write_below(folder, "a/2.bmp", bmp(1, 1, 2));
  write_below(elsewhere, "3.bmp", bmp(1, 1, 3));
  fs::create_symlink(elsewhere.path(), folder / "b");
  fs::create_symlink(elsewhere / "3.bmp", folder / "a/y.bmp");
  CHECK(first_values(folder.path()) == std::vector<int>{2, 3, 1, 3});
  CHECK(label_values(folder.path()) == std::vector<int64_t>{0, 0, 0, 1});
  fs::create_symlink("..", folder / "a/x/up");
  CHECK(contains(failure(folder.path()), "/a/x/up: a link to a folder that it lies in"));
  fs::remove(folder / "a/x/up");
  fs::create_symlink(elsewhere.path(), folder / "a/z");
  CHECK(label_values(folder.path()) == std::vector<int64_t>{0, 0, 0, 0, 1});
}

TEST_CASE("a folder that a class reaches twice is an error, however many ways links make") {
  constexpr int kLinks = 25;  // the system follows up to 40 in a path
  Folder folder;
  std::string last = "/set/class";
  for (int i = 0; i < kLinks; ++i) {
    fs::create_directories(folder / fmt::format("chain/{}", i));
    for (const char* link : {"a", "b"})
      fs::create_symlink(fmt::format("../{}", i + 1), folder / fmt::format("chain/{}/{}", i, link));
    if (i > 0) last += "/a";
  }
  const auto picture = write_below(folder, fmt::format("chain/{}/1.bmp", kLinks), bmp(1, 1, 1));
  fs::create_directories(folder / "set");
  fs::create_symlink("../chain/0", folder / "set/class");
  CHECK(failure(folder / "set") == folder.path() + last + "/b: the same folder as " + folder.path() + last +
                                       "/a, in one class; remove one of the links");
  fs::remove(picture);
  CHECK(contains(failure(folder / "set"), "a folder without data that are known"));
}

TEST_CASE("pictures are found however deep they lie in their class") {
  Folder folder;
  write_below(folder, "c/d/d/d/d/0.bmp", bmp(1, 1, 6));
  CHECK(first_values(folder.path()) == std::vector<int>{6});
}

TEST_CASE("folders train, test and val are parts") {
  Folder folder;
  write_below(folder, "train/cat/1.bmp", bmp(1, 1, 1));
  write_below(folder, "train/dog/1.bmp", bmp(1, 1, 2));
  write_below(folder, "val/dog/1.bmp", bmp(1, 1, 3));
  fs::create_directory(folder / "val/cat");
  write_below(folder, "notes/read.txt", "");
  CHECK(first_values(folder.path()) == std::vector<int>{1, 2});
  CHECK(first_values(folder.path() + ",split=test") == std::vector<int>{3});
  CHECK(label_values(folder.path() + ",split=test") == std::vector<int64_t>{1});
  CHECK(has_test_part(folder.path()));
  write_below(folder, "test/dog/1.bmp", bmp(1, 1, 4));
  CHECK(first_values(folder.path() + ",split=test") == std::vector<int>{4});
  write_below(folder, "test/emu/1.bmp", bmp(1, 1, 4));
  CHECK(contains(failure(folder.path() + ",split=test"), "/test/emu: a class that the training part doesn't have"));
}

TEST_CASE("a folder train beside others, with pictures alone, is a class") {
  Folder folder;
  write_below(folder, "train/1.bmp", bmp(1, 1, 1));
  write_below(folder, "bus/1.bmp", bmp(1, 1, 2));
  CHECK(first_values(folder.path()) == std::vector<int>{2, 1});
  CHECK(open(folder.path())->class_name(1) == "train");
  write_below(folder, "test/1.bmp", bmp(1, 1, 3));
  CHECK(first_values(folder.path()) == std::vector<int>{2, 3, 1});
  write_below(folder, "test/sub/1.bmp", bmp(1, 1, 4));
  CHECK(contains(failure(folder.path()), ": no training part (a folder train with a folder for each class)"));
  CHECK(first_values(folder.path() + ",split=test") == std::vector<int>{4});
}

TEST_CASE("pictures without classes have no labels") {
  Folder folder;
  write_below(folder, "b.bmp", bmp(1, 1, 2));
  write_below(folder, "a.bmp", bmp(1, 1, 1));
  CHECK(first_values(folder.path()) == std::vector<int>{1, 2});
  CHECK_FALSE(open(folder.path())->has_labels());
  const auto labels = folder.write("labels.txt", "4\n1\n");
  CHECK(label_values(folder.path() + ",labels=" + labels) == std::vector<int64_t>{4, 1});
  write_below(folder, "parts/train/1.bmp", bmp(1, 1, 3));
  write_below(folder, "parts/test/1.bmp", bmp(1, 1, 4));
  CHECK(first_values(folder / "parts") == std::vector<int>{3});
  CHECK(first_values(folder / "parts,split=test") == std::vector<int>{4});
}

TEST_CASE("an empty class, an empty folder and a part that is missing are errors") {
  Folder folder;
  fs::create_directories(folder / "empty");
  CHECK(contains(failure(folder / "empty"), "a folder without data that are known"));
  write_below(folder, "others/sub/notes.txt", "");
  CHECK(contains(failure(folder / "others"), "a folder without data that are known; looked for train-images"));
  write_below(folder, "set/cat/1.bmp", bmp(1, 1, 1));
  write_below(folder, "set/dog/notes.txt", "");
  CHECK(contains(failure(folder / "set"), "/set/dog: no pictures in it (.png, .jpg, .jpeg, .bmp, .webp); fill it, or"));
  write_below(folder, "tests/test/cat/1.bmp", bmp(1, 1, 1));
  CHECK(contains(failure(folder / "tests"), "/tests: no training part (a folder train with a"));
  CHECK(first_values(folder / "tests,split=test") == std::vector<int>{1});
}

TEST_CASE("a hundred thousand classes of one picture are read") {
  Folder folder;
  const auto picture = folder.write("x.bmp", bmp(1, 1, 9));
  constexpr int kClasses = 100000;
  std::string list = "path,label\n";
  for (int i = 0; i < kClasses; ++i) list += fmt::format("x.bmp,class {}\n", i);
  const auto data = open(folder.write("list.csv", list));
  CHECK(data->classes().size() == kClasses);
  CHECK(data->class_name(1) == "class 1");
  CHECK(data->class_name(2) == "class 10");
  CHECK(data->images({kClasses - 1}).numel() == 3);
}
