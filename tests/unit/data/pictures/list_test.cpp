// Lists of pictures, lib/mas/data/pictures/list.cpp.
#include "unit/data/pictures/picture_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

/// a.bmp, "b, c.bmp" and "sub/d e.bmp" with first values 1, 2 and 3.
void fill(const Folder& folder) {
  write_below(folder, "a.bmp", bmp(1, 1, 1));
  write_below(folder, "b, c.bmp", bmp(1, 1, 2));
  write_below(folder, "sub/d e.bmp", bmp(1, 1, 3));
}

}  // namespace

TEST_CASE("a list has a path and a label a line, with commas, semicolons, tabs or blanks, and a header or none") {
  Folder folder;
  fill(folder);
  for (const char* text :
       {"a.bmp,7\n\"b, c.bmp\",0\nsub/d e.bmp,7\n", "path,label\r\na.bmp,7\r\nb, c.bmp,0\r\nsub/d e.bmp,7",
        "file;class\na.bmp;7\nb, c.bmp; 0\n\"sub/d e.bmp\";\"7\"\n", "a.bmp\t7\nb, c.bmp\t0\nsub/d e.bmp\t7\n",
        "a.bmp 7\nb, c.bmp 0\nsub/d e.bmp 7\n"}) {
    CAPTURE(text);
    const auto path = folder.write("list.txt", text);
    CHECK(first_values(path) == std::vector<int>{1, 2, 3});
    CHECK(label_values(path) == std::vector<int64_t>{7, 0, 7});
    CHECK(open(path)->class_name(7) == "");
  }
}

TEST_CASE("labels that aren't all numbers are names, in their order") {
  Folder folder;
  fill(folder);
  const auto path = folder.write("list.csv", "a.bmp,frog\nsub/d e.bmp,cat\na.bmp,10\n");
  CHECK(label_values(path) == std::vector<int64_t>{2, 1, 0});
  CHECK(open(path)->class_name(2) == "frog");
  CHECK(open(path + ",split=0.5")->size() == 2);
}

TEST_CASE("a label that is no number where most are is an error that names its line") {
  Folder folder;
  fill(folder);
  for (const char* wrong : {"-1", "3000000000", "1.5", "cat"}) {
    const auto path = folder.write("list.csv", fmt::format("path,label\na.bmp,2\na.bmp,{}\na.bmp,007\n", wrong));
    CHECK(failure(path) ==
          fmt::format("{}: line 3: label {}, where most are whole numbers from 0; mend it, or let all be names", path,
                      wrong));
  }
  CHECK(label_values(folder.write("list.csv", "a.bmp,007\na.bmp,2\n")) == std::vector<int64_t>{7, 2});
  CHECK(label_values(folder.write("list.csv", "a.bmp,x\na.bmp,2\n")) == std::vector<int64_t>{1, 0});
}

TEST_CASE("a list may leave labels out, and name files anywhere") {
  Folder folder, elsewhere;
  fill(folder);
  const auto path = elsewhere.write("list", folder / "a.bmp" + "\n" + (folder / "sub/d e.bmp") + "\n");
  CHECK(first_values(path) == std::vector<int>{1, 3});
  CHECK_FALSE(open(path)->has_labels());
}

TEST_CASE("a list in a folder as train.csv and test.csv is its parts") {
  Folder folder;
  fill(folder);
  folder.write("train.csv", "a.bmp,0\nsub/d e.bmp,1\n");
  folder.write("test.csv", "\"b, c.bmp\",1\n");
  CHECK(first_values(folder.path()) == std::vector<int>{1, 3});
  CHECK(first_values(folder.path() + ",split=test") == std::vector<int>{2});
}

TEST_CASE("names in test.csv mean what they mean in train.csv") {
  Folder folder;
  fill(folder);
  folder.write("train.csv", "a.bmp,ant\n\"b, c.bmp\",bee\nsub/d e.bmp,7\n");
  folder.write("test.csv", "a.bmp,bee\n");
  CHECK(label_values(folder.path() + ",split=test") == std::vector<int64_t>{2});
  CHECK(open(folder.path() + ",split=test")->class_name(2) == "bee");
  folder.write("test.csv", "a.bmp,7\n");
  CHECK(label_values(folder.path() + ",split=test") == std::vector<int64_t>{0});
  folder.write("test.csv", "a.bmp,cow\n");
  CHECK(failure(folder.path() + ",split=test") ==
        folder / "test.csv" + ": cow: a class that the training part doesn't have");
  folder.write("train.csv", "a.bmp,3\n");
  CHECK(failure(folder.path() + ",split=test") ==
        folder / "test.csv" + ": labels are names, but " + (folder / "train.csv") + " has numbers");
}

TEST_CASE("a line that names no picture, or none that is there, is an error that names it") {
  Folder folder;
  fill(folder);
  const auto cause = [&](const std::string& text) { return failure(folder.write("list.csv", text)); };
  CHECK(cause("a.bmp,1\nsub/x.bmp,2\n") ==
        folder / "list.csv" + ": line 2: " + folder.path() + "/sub/x.bmp: no such file or directory");
  CHECK(contains(cause("a.bmp,1\nb, c.bmp\n"),
                 "line 2: expected a picture (.png, .jpg, .jpeg, .bmp, .webp) and a label"));
  CHECK(contains(cause("a.bmp,1\na.bmp,\n"), " and a label, as in the lines before"));
  CHECK(contains(cause("a.bmp\na.bmp,1\n"), " without a label, as"));
  CHECK(contains(cause("a.bmp,1\nnotes.txt,1\n"), " and a label, as in the lines before"));
  CHECK(contains(cause("a.bmp,1,2\n"), "is no number"));  // CSV then
  CHECK(contains(failure(folder.write("list.csv", "a.bmp,1\n") + ",labels=last"),
                 "labels=last is for CSV, and this is a list of pictures"));
}
