// Lists of facts, lib/mas/data/facts/manifest.cpp.
#include "unit/data/pictures/picture_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

const char* const kRows = "a.bmp,man,riding,horse\nb.bmp,man,,\nc.bmp,dog,running,\n";

/// a.bmp, b.bmp and c.bmp with first values 1, 2 and 3, and words.txt with vectors of 2 values.
struct Pictures : Folder {
  Pictures() {
    for (int i = 0; i < 3; ++i) write(std::string(1, static_cast<char>('a' + i)) + ".bmp", bmp(1, 1, i + 1));
    write("words.txt", "man 1 0\nriding 2 0\nhorse 3 0\ndog 4 0\nrunning 5 0\n");
  }
  std::string list(const std::string& text) const {
    return write("list.csv", text) + ",vectors=" + (*this / "words.txt");
  }
};

}  // namespace

TEST_CASE("a list's columns are known by their names, in any order, letters and separator, among others") {
  const Pictures folder;
  for (const char* text :
       {"image,subject,predicate,object\na.bmp,man,riding,horse\nb.bmp,man,,\nc.bmp,dog,running,\n",
        "Image,SUBJECT,Predicate,object\r\na.bmp,man,riding,horse\r\nb.bmp,man,,\r\nc.bmp,dog,running,",
        "\n \nimage;subject;predicate;object\na.bmp;man;riding;horse\nb.bmp;man;;\n"
        "c.bmp;dog;running;\n",
        "\xEF\xBB\xBF\nobject\tid\timage\tpredicate\tsubject\nhorse\t1\ta.bmp\triding\tman\n\t2\tb.bmp\t\tman"
        "\n\n\t3\tc.bmp\t\"running\"\tdog\n"}) {
    CAPTURE(text);
    const auto data = open(folder.list(text));
    CHECK(first_values(folder.list(text)) == std::vector<int>{1, 2, 3});
    CHECK(label_values(folder.list(text)) == std::vector<int64_t>{2, 1, 0});
    CHECK(data->class_name(0) == "<dog, running>");
    CHECK(data->class_name(1) == "<man>");
    CHECK(data->class_name(2) == "<man, riding, horse>");
    const at::Tensor vectors = data->class_vectors();
    CHECK(at::equal(vectors[2], at::tensor({1.f, 0.f, 2.f, 0.f, 3.f, 0.f})));
    CHECK(vectors[1].isnan().sum().item<int64_t>() == 4);
  }
}

TEST_CASE("a list without vectors has facts without values") {
  const Pictures folder;
  folder.list(std::string("image,subject,predicate,object\n") + kRows);
  const auto data = open(folder / "list.csv");
  CHECK(data->class_vectors().sizes() == at::IntArrayRef({3, 0}));
  CHECK(data->class_name(1) == "<man>");
}

TEST_CASE("a column that isn't there is named beside those that are") {
  const Pictures folder;
  folder.list("image,subject,verb,object\na.bmp,man,riding,horse\n");
  CHECK(failure(folder / "list.csv") ==
        (folder / "list.csv") +
            ": line 1: no column predicate among image, subject, verb, object; a list of facts has "
            "image, subject, predicate and object");
}

TEST_CASE("many and long columns are cut one by one, and lines are counted from the file's first") {
  const Pictures folder;
  const std::string file = folder / "list.csv", need = "; a list of facts has image, subject, predicate and object";
  folder.list("image_number,file_name,image,subject,,relationship,object,width,height,depth\n");
  CHECK(failure(file) ==
        file +
            ": line 1: no column predicate among image_number, file_name, image, subject, relationship, object, "
            "width, height, ..." +
            need);
  folder.list("\n\n\nimage,subject,predicate,object\na.bmp,man,riding\n");
  CHECK(failure(file) == file + ": line 5: 3 fields, but line 4 has 4");
}

TEST_CASE("a table of numbers that has columns Image and Subject is no list of facts") {
  const Pictures folder;
  folder.list("Subject,Image,Age,label\n1,2,3,0\n4,5,6,1\n");
  CHECK(labels(folder / "list.csv").size(0) == 2);
  folder.list("image,subject,predicate,object,Image\na.bmp,man,,,b.bmp\n");
  CHECK(first_values(folder / "list.csv") == std::vector<int>{1});
}

TEST_CASE("words without a vector are counted, the first of the list first") {
  const Pictures folder;
  const auto said = [&](const std::string& rows) {
    const std::string all = failure(folder.list("image,subject,predicate,object\n" + rows));
    return all.substr((folder / "list.csv").size());
  };
  const std::string file = folder / "words.txt";
  CHECK(said("a.bmp,zebra,,\n") == ": line 2: no vector of zebra in " + file);
  CHECK(said("a.bmp,zebra,,\nb.bmp,ape,,\nc.bmp,zebra,running,\n") ==
        ": line 2: no vector of zebra in " + file + ", nor of 1 other word: ape");
  CHECK(said("a.bmp,man,,\nb.bmp,ape,riding,zebra\nc.bmp,man,eating,apple\n") ==
        ": line 3: no vector of ape in " + file + ", nor of 3 other words: apple, eating, zebra");
  CHECK(said("a.bmp,g,a,b\nb.bmp,c,d,e\nc.bmp,f,,\n") ==
        ": line 2: no vector of g in " + file + ", nor of 6 other words: a, b, c, d, e, ...");
}

TEST_CASE("the test part's facts have the labels of the training part, new ones follow") {
  const Pictures folder;
  write_below(folder, "set/train.csv", "image,subject,predicate,object\n../a.bmp,man,riding,horse\n../b.bmp,man,,\n");
  write_below(folder, "set/test.csv", "image,subject,predicate,object\n../c.bmp,dog,,\n../a.bmp,man,,\n");
  const std::string spec = (folder / "set") + ",vectors=" + (folder / "words.txt");
  CHECK(label_values(spec) == std::vector<int64_t>{1, 0});
  CHECK(label_values(spec + ",split=test") == std::vector<int64_t>{2, 0});
  CHECK(open(spec + ",split=test")->class_name(2) == "<dog>");
}
