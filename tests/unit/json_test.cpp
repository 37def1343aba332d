#include "mas/json.h"

#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

namespace {

std::string fault(const std::string& text, int deepest = 4) {
  return mas::test::error_of([&] { mas::parse_json(text, deepest, "x"); });
}

}  // namespace

TEST_CASE("JSON is parsed down to the level that is allowed, brackets in strings aside") {
  CHECK(mas::parse_json(R"({"a": [[{"b": 1}]]})", 4, "x")["a"][0][0]["b"] == 1);
  CHECK(fault(R"({"a": [[{"b": []}]]})") == "x: JSON nested deeper than 4");
  CHECK(fault(R"(["[[[[[", "\"[[[[[", "\\", [[[]]]])").empty());
  CHECK(fault(R"(["\\", [[[[]]]]])") == "x: JSON nested deeper than 4");
  CHECK(fault("[[],[],[],[],[],[]]").empty());
}

TEST_CASE("a mistake in JSON is told with line and column") {
  CHECK(mas::test::contains(fault("{\n\"a\": ,}"), "x: not valid JSON: line 2, column 6: "));
  CHECK(mas::test::contains(fault("]]]"), "x: not valid JSON: line 1, column 1: "));
  CHECK(mas::test::contains(fault("\"\xff\""), "x: not valid JSON: line 1"));
}

TEST_CASE("a long array of small objects costs no more than its length") {
  std::string text = "[{}";
  for (int i = 0; i < 1000000; i++) text += ",{}";  // minutes, where each object costs a walk over the others
  CHECK(mas::parse_json(text + "]", 4, "x").size() == 1000001);
}
