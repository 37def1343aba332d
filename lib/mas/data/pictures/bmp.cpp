// BMP, not compressed: a file header of 14 bytes, a picture header, the rows.
#include <cstdlib>

#include <fmt/format.h>

#include "mas/data/pictures/kinds.h"
#include "mas/error.h"
#include "mas/io/bytes.h"

namespace mas {
namespace {

bool recognise(std::string_view bytes) { return starts_with(bytes, "BM"); }

bool is_old(std::string_view bytes) { return little_endian(bytes, 14, 4) == 12; }  // OS/2's, with sides of 16 bits

std::optional<PictureHeader> header(std::string_view bytes, const std::string& name) {
  if (bytes.size() < 54) return {};
  const uint64_t length = little_endian(bytes, 14, 4);
  if (length != 12 && (length < 40 || length > 124)) throw Error(name, "damaged BMP: no header that is known");
  if (is_old(bytes))
    return PictureHeader{static_cast<int64_t>(little_endian(bytes, 20, 2)),
                         static_cast<int64_t>(little_endian(bytes, 18, 2))};
  const uint64_t compression = little_endian(bytes, 30, 4);
  if (compression != 0 && compression != 3) throw Error(name, "compressed BMP, which isn't read; convert it to PNG");
  const auto side = [&](size_t at) { return int64_t{static_cast<int32_t>(little_endian(bytes, at, 4))}; };
  return PictureHeader{std::abs(side(22)), side(18)};  // a negative height: from top to bottom
}

std::string prepare(std::string bytes, const std::string& name) {
  const auto sides = header(bytes, name).value();
  const auto bits = static_cast<int64_t>(little_endian(bytes, is_old(bytes) ? 24 : 28, 2));
  const int64_t row = (sides.width * bits + 31) / 32 * 4;
  const auto begin = static_cast<int64_t>(little_endian(bytes, 10, 4)), size = static_cast<int64_t>(bytes.size());
  if (begin + row * sides.height > size) throw Error(name, fmt::format("ends early: {} bytes of a longer BMP", size));
  return bytes;
}

}  // namespace

const PictureKind kBmp{"BMP", recognise, header, prepare};

}  // namespace mas
