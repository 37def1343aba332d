#include "mas/data/pictures/decode.h"

#include <zlib.h>

#include "unit/data/pictures/picture_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

const std::string kSet = kSets + "imagefolder/";
const std::string kSmall = std::string(MAS_SOURCE_DIR) + "/tests/fuzz/corpus-pictures/";

bool present() {
  const bool there = std::filesystem::exists(kSet);
  if (!there) MESSAGE("skipped: no " << kSet);
  return there;
}

mas::Picture decoded(const std::string& path) { return mas::decode_picture(mas::File(path)); }

std::string error_of(const std::string& path) {
  try {
    decoded(path);
    return "";
  } catch (const mas::Error& error) {
    return error.what();
  }
}

std::string content(const std::string& path) {
  const mas::File file(path);
  return file.text(0, file.size());
}

std::string chunk(const std::string& type, const std::string& content) {
  const std::string typed = type + content;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(typed.data()), static_cast<uInt>(typed.size()));
  return big_endian(static_cast<uint32_t>(content.size())) + typed + big_endian(static_cast<uint32_t>(sum));
}

std::string png_header(uint32_t height, uint32_t width) {
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", big_endian(width) + big_endian(height) + std::string("\x8\x2\0\0\0", 5));
}

double mean_of(const mas::Picture& picture, int64_t channel) {
  const int64_t plane = picture.height * picture.width;
  const auto begin = picture.rgb.begin() + channel * plane;
  return static_cast<double>(std::accumulate(begin, begin + plane, int64_t{0})) / static_cast<double>(plane);
}

// EXIF that says how a picture is to be turned, as cameras of either byte order write it.
std::string exif(char orientation, bool big) {
  const std::string entry = big ? std::string("\x1\x12\0\x3\0\0\0\x1\0", 9) + orientation + std::string(2, '\0')
                                : std::string("\x12\x1\x3\0\x1\0\0\0", 8) + orientation + std::string(3, '\0');
  const std::string tiff = (big ? std::string("MM\0*\0\0\0\x8\0\x1", 10) : std::string("II*\0\x8\0\0\0\x1\0", 10)) +
                           entry + std::string(4, '\0');
  const std::string body = std::string("Exif\0\0", 6) + tiff;
  return "\xff\xe1" + big_endian(static_cast<uint32_t>(body.size() + 2)).substr(2) + body;
}

}  // namespace

TEST_CASE("each awkward file gets what its table says") {
  if (!present()) return;
  int seen = 0;
  for (const auto& row : table(kSet + "awkward.tsv")) {
    const std::string path = kSet + "awkward/" + row[0], &expected = row[2];
    CAPTURE(path);
    if (expected.rfind("error", 0) == 0) {
      const std::string message = error_of(path);
      CAPTURE(message);
      CHECK(message.rfind(path + ": ", 0) == 0);
    } else if (expected.rfind("decode", 0) == 0) {
      const auto picture = decoded(path);
      const bool turned = contains(row[1], "orientation");
      CHECK(picture.height == std::stoi(row[turned ? 3 : 4]));
      CHECK(picture.width == std::stoi(row[turned ? 4 : 3]));
      CHECK(mas::picture_sides(mas::File(path)) == std::pair(picture.height, picture.width));
      const double tolerance = contains(row[0], "cmyk") ? 3 : contains(row[1], "JPEG") ? 1 : 0.006;
      for (int64_t c = 0; c < 3; ++c) CHECK(std::abs(mean_of(picture, c) - std::stod(row[5 + c])) < tolerance);
    } else {
      continue;
    }
    ++seen;
  }
  CHECK(seen > 30);
}

TEST_CASE("what is wrong with a picture is said") {
  if (!present()) return;
  for (const auto& [name, cause] : {std::pair{"cat/damaged_idat.png", "damaged PNG: the checksum of its IDAT at byte"},
                                    {"cat/truncated.png", "ends early: "},
                                    {"cat/huge_header.png", "too large: its header says 60000 x 60000 pixels"},
                                    {"cat/header_only.png", "ends early: 8 bytes of a longer PNG"},
                                    {"dog/truncated.jpg", "ends early: "},
                                    {"dog/zero_bytes.jpg", "empty file"},
                                    {"dog/text_file.jpg", "text, not a picture"},
                                    {"dog/picture.gif", "a GIF, which isn't read; convert it to PNG"}}) {
    const std::string message = error_of(kSet + "awkward/" + name);
    CAPTURE(name);
    CAPTURE(message);
    CHECK(contains(message, cause));
    CHECK_FALSE(contains(message, "\n"));
  }
}

TEST_CASE("a picture that is cut anywhere is refused") {
  Folder folder;
  for (const char* name : {"grey.png", "colour.jpg", "progressive.jpg", "colour.webp", "colour.bmp"}) {
    const std::string whole = content(kSmall + name);
    CAPTURE(name);
    CHECK(error_of(kSmall + name) == "");
    for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 100) {
      CAPTURE(size);
      CHECK(error_of(folder.write("cut", whole.substr(0, size))) != "");
    }
  }
}

TEST_CASE("a header that claims too much is known before memory is taken") {
  Folder folder;
  CHECK(
      contains(error_of(folder.write("a.png", png_header(60000, 60000))), "too large: its header says 60000 x 60000"));
  CHECK(contains(error_of(folder.write("b.png", png_header(0xffffffff, 0xffffffff))), "too large"));
  CHECK(contains(error_of(folder.write("c.png", png_header(0, 5))), "damaged: its header says 5 x 0 pixels"));
  CHECK(contains(error_of(folder.write("d.png", png_header(8192, 8192))), "ends early"));
  CHECK(contains(error_of(folder.write("e.png", png_header(5, 5) + chunk("IEND", ""))), "ends without a picture"));
}

TEST_CASE("what a PNG has beside its pixels is left out, whatever is in it") {
  Folder folder;
  const std::string whole = content(kSmall + "grey.png"), profile = chunk("iCCP", "nonsense") + chunk("zTXt", "x");
  const auto path = folder.write("p.png", whole.substr(0, 33) + profile + whole.substr(33));
  CHECK(decoded(path).rgb == decoded(kSmall + "grey.png").rgb);
  CHECK(contains(error_of(folder.write("u.png", whole.substr(0, 33) + chunk("ABCD", "") + whole.substr(33))),
                 "a part of an unknown kind, ABCD"));
}

TEST_CASE("a PNG of any kind has its colours, and what is wrong within is what libpng says") {
  Folder folder;
  const auto png = [&](const std::string& kind, const std::string& before, const std::string& rows) {
    std::string packed(compressBound(rows.size()), '\0');
    uLongf size = packed.size();
    compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()), rows.size());
    packed.resize(size);
    return folder.write("p.png", "\x89PNG\r\n\x1a\n" + chunk("IHDR", big_endian(2) + big_endian(1) + kind) + before +
                                     chunk("IDAT", packed) + chunk("IEND", ""));
  };
  // Two pixels: depth and kind of colours, then compression, filter and interlace; a row begins with its filter.
  const auto kind = [](const char* depth_and_colours) {
    return std::string(depth_and_colours, 2) + std::string(3, '\0');
  };
  using Planes = std::vector<uint8_t>;
  CHECK(decoded(png(kind("\x8\2"), "", std::string("\0\1\2\3\4\5\6", 7))).rgb == Planes{1, 4, 2, 5, 3, 6});
  CHECK(decoded(png(kind("\x8\6"), "", std::string("\0\1\2\3\0\4\5\6\x9", 9))).rgb == Planes{1, 4, 2, 5, 3, 6});
  CHECK(decoded(png(kind("\x10\2"), "", std::string("\0\1\xff\2\xff\3\xff\4\xff\5\xff\6\xff", 13))).rgb ==
        Planes{1, 4, 2, 5, 3, 6});
  CHECK(decoded(png(kind("\1\0"), "", std::string("\0\x40", 2))).rgb == Planes{0, 255, 0, 255, 0, 255});
  CHECK(decoded(png(kind("\x8\4"), "", std::string("\0\7\0\x9\1", 5))).rgb == Planes{7, 9, 7, 9, 7, 9});
  const std::string palette = chunk("PLTE", "\1\2\3\4\5\6"), transparent = chunk("tRNS", std::string(1, '\0'));
  CHECK(decoded(png(kind("\x8\3"), palette + transparent, std::string("\0\0\1", 3))).rgb == Planes{1, 4, 2, 5, 3, 6});
  const auto cause = [&](const std::string& path) { return error_of(path).substr(path.size()); };
  CHECK(contains(cause(png(kind("\x8\3"), "", std::string(3, '\0'))), ": damaged PNG: libpng says '"));
  CHECK(contains(cause(png(kind("\x8\3"), palette + palette, std::string(3, '\0'))), ": damaged PNG: libpng says '"));
  CHECK(contains(cause(png(kind("\x8\2"), "", "\x9" + std::string(6, '\0'))), ": damaged PNG: libpng says '"));
  CHECK(contains(cause(png(kind("\x7\2"), "", std::string(7, '\0'))), ": damaged PNG: libpng says '"));
  CHECK(contains(cause(png(kind("\x8\2"), "", std::string(6, '\0'))), ": damaged PNG: libpng says '"));
  CHECK(error_of(png(kind("\x8\2"), "", std::string(99, '\0'))) == "");  // more data than pixels
}

TEST_CASE("a BMP whose masks the decoder wouldn't heed is refused") {
  Folder folder;
  const auto error_of_masks = [&](int bits, std::vector<uint32_t> masks) {
    std::string bytes = bmp(1, 1, 7);
    bytes[28] = static_cast<char>(bits);
    bytes[30] = 3;   // BI_BITFIELDS
    bytes[10] = 66;  // where the pixels begin
    std::string between;
    for (uint32_t mask : masks)
      for (int shift : {0, 8, 16, 24}) between += static_cast<char>(mask >> shift);
    return error_of(folder.write("m.bmp", bytes.insert(54, between)));
  };
  for (const auto& masks : {std::vector<uint32_t>{0xff, 0xff00, 0xff0000}, {0xff000000, 0xff0000, 0xff00}})
    CHECK(contains(error_of_masks(32, masks), "m.bmp: BMP of 32 bits whose masks ("));
  CHECK(contains(error_of_masks(16, {0xf00, 0xf0, 0xf}),
                 "BMP of 16 bits whose masks (f00, f0, f) aren't read; convert it to PNG"));
  CHECK(error_of_masks(32, {0xff0000, 0xff00, 0xff}) == "");
  CHECK(error_of_masks(16, {0x7c00, 0x3e0, 0x1f}) == "");
  CHECK(error_of_masks(16, {0xf800, 0x7e0, 0x1f}) == "");
}

TEST_CASE("a picture is turned as EXIF says") {
  Folder folder;
  const std::string plain = content(kSmall + "colour.jpg");
  const auto stored = decoded(kSmall + "colour.jpg");
  const auto pixels =
      torch::tensor(at::ArrayRef<uint8_t>(stored.rgb), at::kByte).reshape({3, stored.height, stored.width});
  const std::vector<at::Tensor> upright = {pixels,
                                           pixels.flip({2}),
                                           pixels.flip({1, 2}),
                                           pixels.flip({1}),
                                           pixels.transpose(1, 2),
                                           at::rot90(pixels, -1, {1, 2}),
                                           at::rot90(pixels, 2, {1, 2}).transpose(1, 2),
                                           at::rot90(pixels, 1, {1, 2})};
  for (bool big : {false, true})
    for (int o = 1; o <= 8; ++o) {
      CAPTURE(o);
      const auto path = folder.write("t.jpg", plain.substr(0, 2) + exif(static_cast<char>(o), big) + plain.substr(2));
      const auto got = decoded(path);
      const auto& want = upright[static_cast<size_t>(o - 1)];
      REQUIRE(mas::picture_sides(mas::File(path)) == std::pair(want.size(1), want.size(2)));
      CHECK(at::equal(torch::tensor(at::ArrayRef<uint8_t>(got.rgb), at::kByte), want.flatten()));
    }
}

TEST_CASE("a file is meant as a picture by its ending in any case") {
  for (const char* name : {"a.png", "a.JPG", "a b.JpEg", "a.b.webp", "a.gif"}) CHECK(mas::has_picture_name(name));
  for (const char* name : {"png", "notes.txt", "a.png.txt", "Thumbs.db", ""}) CHECK_FALSE(mas::has_picture_name(name));
}
