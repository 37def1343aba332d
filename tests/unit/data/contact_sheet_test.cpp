#include "mas/data/contact_sheet.h"

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

uint32_t number(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace

TEST_CASE("a contact sheet is a PNG with a row for each class") {
  const auto data = open("glyphs,classes=3;1,samples=60");
  const auto png = mas::contact_sheet(*data, 4);
  CHECK(png.substr(0, 8) == "\x89PNG\r\n\x1a\n");
  CHECK(number(png, 16) == 4 * 29 + 1);
  CHECK(number(png, 20) == 2 * 29 + 1);
  CHECK(png[25] == 0);  // gray
  CHECK(png == mas::contact_sheet(*data, 4));
}

TEST_CASE("a sheet of very many classes has the first hundred") {
  const auto png = mas::contact_sheet(*open("glyphs,kinds=1000,samples=2000"), 2);
  CHECK(number(png, 16) == 2 * 29 + 1);
  CHECK(number(png, 20) == 100 * 29 + 1);
}

TEST_CASE("images of three channels give a sheet in colour") {
  Folder folder;
  const auto data = open(folder.write("x", std::string(3073, '\x05')));
  const auto png = mas::contact_sheet(*data, 2);
  CHECK(png[25] == 2);
  CHECK(number(png, 16) == 2 * 33 + 1);
}

TEST_CASE("samples that are no images have no contact sheet") {
  Folder folder;
  const auto data = open(folder.write("x", idx({2, 3}, "abcdef")));
  CHECK_THROWS_WITH_AS(mas::contact_sheet(*data), doctest::Contains("draws images of 1 or 3 channels"), mas::Error);
}
