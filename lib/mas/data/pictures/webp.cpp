// WebP: a RIFF file whose first chunk says how it is compressed.
// https://developers.google.com/speed/webp/docs/riff_container
#include <fmt/format.h>

#include "mas/data/pictures/kinds.h"
#include "mas/error.h"
#include "mas/io/bytes.h"

namespace mas {
namespace {

constexpr uint64_t kAnimated = 2;  // a bit of the extended header

bool recognise(std::string_view bytes) {
  return bytes.size() >= 16 && starts_with(bytes, "RIFF") && bytes.substr(8, 4) == "WEBP";
}

std::optional<PictureHeader> header(std::string_view bytes, const std::string& name) {
  if (bytes.size() < 30) return {};
  const std::string_view kind = bytes.substr(12, 4);
  const auto sides = [](uint64_t height, uint64_t width) {
    return PictureHeader{static_cast<int64_t>(height), static_cast<int64_t>(width)};
  };
  if (kind == "VP8 ") return sides(little_endian(bytes, 28, 2) & 0x3fff, little_endian(bytes, 26, 2) & 0x3fff);
  if (kind == "VP8L") {
    const uint64_t packed = little_endian(bytes, 21, 4);
    return sides((packed >> 14 & 0x3fff) + 1, (packed & 0x3fff) + 1);
  }
  if (kind != "VP8X") throw Error(name, "damaged WebP: no header that is known");
  if (little_endian(bytes, 20, 1) & kAnimated) throw Error(name, "animated WebP, which isn't read; convert it to PNG");
  return sides(little_endian(bytes, 27, 3) + 1, little_endian(bytes, 24, 3) + 1);
}

std::string prepare(std::string bytes, const std::string& name) {
  if (little_endian(bytes, 4, 4) + 8 > bytes.size())
    throw Error(name, fmt::format("ends early: {} bytes of a longer WebP", bytes.size()));
  return bytes;
}

}  // namespace

const PictureKind kWebp{"WebP", recognise, header, prepare};

}  // namespace mas
