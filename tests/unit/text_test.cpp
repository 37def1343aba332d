#include "mas/text.h"

#include "unit/doctest_torch.h"

TEST_CASE("shapes are written for readers") {
  CHECK(mas::shape_text({60000, 28, 28}) == "60000 x 28 x 28");
  CHECK(mas::shape_text({7}) == "7");
  CHECK(mas::shape_text({}) == "scalar");
}

TEST_CASE("text is cut between separators") {
  CHECK(mas::cut("a::b", ':') == std::vector<std::string>{"a", "", "b"});
  CHECK(mas::cut("", ':') == std::vector<std::string>{""});
}

TEST_CASE("fields of CSV are quoted where they have to be") {
  CHECK(mas::csv_field("fc1.weight") == "fc1.weight");
  CHECK(mas::csv_field("a,b \"c\"") == "\"a,b \"\"c\"\"\"");
  CHECK(mas::csv_field("a\nb\x1b") == "a?b?");
}

TEST_CASE("a mistyped word finds the nearest candidate") {
  CHECK(mas::nearest("clases", {"split", "classes", "labels"}) == "classes");
  CHECK(mas::nearest("limti", {"size", "limit"}) == "limit");
  CHECK(mas::nearest("x", {}) == "");
  CHECK(mas::likely("minst", {"glyphs", "mnist"}) == "mnist");
  CHECK(mas::likely("mnist", {"glyphs", "mnist"}) == "");
  CHECK(mas::likely("photos", {"glyphs", "mnist"}) == "");
}

TEST_CASE("numbers are parsed from end to end or not at all") {
  int64_t whole = 0;
  double real = 0;
  CHECK((mas::parse_number("-12", whole) && whole == -12));
  CHECK((mas::parse_number("1e-3", real) && real == 0.001));
  for (const char* text : {"", " 1", "1 ", "+1", "1.5", "0x10", "99999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(mas::parse_number(text, whole));
  }
  for (const char* text : {"", "nan", "inf", "1e999", "1,5"}) {
    CAPTURE(text);
    CHECK_FALSE(mas::parse_number(text, real));
  }
}

TEST_CASE("control characters are made harmless, other text stays") {
  CHECK(mas::harmless("caf\xc3\xa9 \xe2\x82\xac\t1\n") == "caf\xc3\xa9 \xe2\x82\xac\t1\n");
  CHECK(mas::harmless("a\x1b[31mb\rc\x7f") == "a?[31mb?c?");
  CHECK(mas::harmless("a\xc2\x9b"
                      "31m\xc2\xa0") == "a?31m\xc2\xa0");  // U+009B is ESC [, U+00A0 a space
  CHECK(mas::harmless(std::string("\0", 1)) == "?");
  CHECK(mas::printable("a\nb\xc2\x9b", 64) == "a?b?");
}

TEST_CASE("UTF-8 is told from other bytes") {
  for (const char* text : {"", "plain", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) CHECK(mas::is_utf8(text));
  for (const char* text :
       {"\xe9", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "\x80"}) {
    CAPTURE(text);
    CHECK_FALSE(mas::is_utf8(text));
  }
}

TEST_CASE("tensor types are called as files call them") {
  CHECK(mas::type_text(at::kFloat) == "float32");
  CHECK(mas::type_text(at::kLong) == "int64");
  CHECK(mas::type_text(at::kByte) == "uint8");
  CHECK(mas::type_text(at::kBool) == "bool");
}

TEST_CASE("the first of many names are listed") {
  CHECK(mas::listing({}, 2) == "");
  CHECK(mas::listing({"a", "b"}, 2) == "a, b");
  CHECK(mas::listing({"a", "b", "c"}, 2) == "a, b, ...");
}
