#include "mas/data/spec.h"

#include <string>

#include "mas/error.h"
#include "unit/doctest_torch.h"

using mas::DataSpec;

namespace {

std::string failure(const std::string& text) {
  try {
    DataSpec::parse(text);
  } catch (const mas::UsageError& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("every key of a data spec is read") {
  const auto spec = DataSpec::parse(
      "mnist,classes=3;0-1,split=test:0.75,limit=100,size=32x24,crop=30x20,pad=2,permute=7,rotate=-45.5,normalize=0.1:"
      "0.2;0.3:0.4,"
      "labels=some\\,file,seed=18446744073709551615");
  CHECK(spec.source == "mnist");
  CHECK(spec.classes == std::vector<int64_t>{3, 0, 1});
  CHECK(spec.split == mas::Split::kTest);
  CHECK(spec.fraction == 0.75);
  CHECK(spec.limit == 100);
  CHECK(spec.size == std::pair<int64_t, int64_t>(32, 24));
  CHECK_FALSE(spec.square);
  CHECK(spec.crop == std::pair<int64_t, int64_t>(30, 20));
  CHECK(spec.pad == 2);
  CHECK(spec.permute == 7);
  CHECK(spec.rotate == -45.5);
  CHECK(spec.normalize == "0.1:0.2;0.3:0.4");
  CHECK(spec.labels == "some,file");
  CHECK(spec.seed == UINT64_MAX);
}

TEST_CASE("a spec's canonical text reads back as the same spec") {
  for (const char* text :
       {"mnist", "a\\,b/c\\\\,limit=3", "mnist,split=0.8", "mnist,split=train", "mnist,split=test", "x,split=train:0.1",
        "x,split=test:0.3333333333333333", "x,classes=0-4", "x,classes=4;3;2", "x,classes=0-1;5;2-3", "x,rotate=0.1",
        "x,normalize=auto,pad=1,seed=3,permute=0,size=1x1", "glyphs,samples=100,difficulty=0.25", "x,labels=a\\,b",
        "x,size=48", "x,size=256,crop=224", "x,crop=5x7", "x,normalize=imagenet", "x,normalize=127.5/128;0/1"}) {
    const auto spec = DataSpec::parse(text);
    CAPTURE(spec.str());
    CHECK(DataSpec::parse(spec.str()) == spec);
    CHECK(DataSpec::parse(spec.str()).str() == spec.str());
  }
  CHECK(DataSpec::parse("x,split=0.8").str() == "x,split=train:0.8");
  CHECK(DataSpec::parse("x,classes=0;1;2;7").str() == "x,classes=0-2;7");
  CHECK(DataSpec::parse("glyphs,samples=100,difficulty=0.25") == DataSpec::parse("glyphs,difficulty=0.25,samples=100"));
}

TEST_CASE("specs that differ in one key are not equal") {
  const auto plain = DataSpec::parse("x");
  for (const char* text :
       {"y", "x,classes=1", "x,split=train", "x,split=0.5", "x,limit=1", "x,size=1x1", "x,size=1", "x,crop=1",
        "x,pad=1", "x,permute=0", "x,rotate=1", "x,normalize=auto", "x,labels=f", "x,seed=1"})
    CHECK(DataSpec::parse(text) != plain);
}

TEST_CASE("one number is the size of a square") {
  const auto spec = DataSpec::parse("x,size=48,crop=32");
  CHECK(spec.size == std::pair<int64_t, int64_t>(48, 48));
  CHECK(spec.square);
  CHECK(spec.crop == std::pair<int64_t, int64_t>(32, 32));
  CHECK(DataSpec::parse("x,size=48x48") != DataSpec::parse("x,size=48"));
}

TEST_CASE("a wrong key gets the nearest right one") {
  CHECK(contains(failure("mnist,clases=0-4"), "clases=0-4: no such key; did you mean classes?"));
  CHECK(contains(failure("mnist,limt=5"), "did you mean limit"));
  CHECK(contains(failure("glyphs,dificulty=1"), "did you mean difficulty"));
  CHECK(contains(failure("mnist,difficulty=1"), "only the generator glyphs has this key"));
}

TEST_CASE("a wrong value is refused by key and value") {
  for (const char* field : {"limit=0",
                            "limit=-1",
                            "limit=1x",
                            "limit=",
                            "limit=99999999999999999999",
                            "limit=+3",
                            "limit=nan",
                            "limit=1e3",
                            "classes=",
                            "classes=4-0",
                            "classes=-1",
                            "classes=a",
                            "classes=1;",
                            "classes=1;1",
                            "classes=0-99999999999",
                            "classes=0-2000000000",
                            "split=",
                            "split=0",
                            "split=1",
                            "split=nan",
                            "split=-0.5",
                            "split=tset",
                            "split=test:2",
                            "size=28x",
                            "size=0x5",
                            "size=5x5x5",
                            "size=99999x1",
                            "size=0",
                            "size=",
                            "crop=5x",
                            "crop=-1",
                            "pad=-1",
                            "pad=1.5",
                            "permute=-1",
                            "permute=a",
                            "rotate=nan",
                            "rotate=inf",
                            "rotate=1e9",
                            "rotate=9d",
                            "normalize=",
                            "normalize=1",
                            "normalize=0:0",
                            "normalize=0:-1",
                            "normalize=nan:1",
                            "normalize=0:1;",
                            "normalize=0:1e-99",
                            "normalize=127.5/0",
                            "normalize=0:1;127.5/128",
                            "normalize=ImageNet",
                            "labels=",
                            "seed=-1",
                            "seed=1 "}) {
    CAPTURE(field);
    CHECK(contains(failure(std::string("mnist,") + field), std::string(field) + ": "));
  }
  CHECK(contains(failure("mnist,crop=30,size=28x32"), "crop=30x30: larger than size=28x32"));
  CHECK(contains(failure("glyphs,difficulty=2"), "difficulty=2: must be"));
  CHECK(contains(failure("glyphs,difficulty=nan"), "difficulty=nan: must be"));
  CHECK(contains(failure("glyphs,samples=1"), "samples=1: must be"));
  CHECK(contains(failure("glyphs,kinds=1"), "kinds=1: must be"));
}

TEST_CASE("a spec without a source, with a key twice or without a value is refused") {
  CHECK(contains(failure(""), "must begin with a path or a name"));
  CHECK(contains(failure(",limit=1"), "must begin with a path or a name"));
  CHECK(contains(failure("mnist,limit=1,limit=2"), "limit=2: given twice"));
  CHECK(contains(failure("a,b/c"), "a comma in a path is written \\,"));
  CHECK(contains(failure("mnist,"), "is no key=value"));
  CHECK(contains(failure("mnist,=3"), "is no key=value"));
}
