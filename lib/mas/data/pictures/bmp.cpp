// BMP, not compressed: a file header of 14 bytes, a picture header, the rows.
#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "mas/data/pictures/kinds.h"
#include "mas/error.h"
#include "mas/io/bytes.h"

namespace mas {
namespace {

constexpr uint64_t kMasked = 3;  // BI_BITFIELDS

bool recognise(std::string_view bytes) { return starts_with(bytes, "BM"); }

bool is_old(std::string_view bytes) { return little_endian(bytes, 14, 4) == 12; }  // OS/2's, with sides of 16 bits

// Which bits of a pixel are red, green and blue.
struct Masks {
  uint64_t bits, red, green, blue;
};

// What the decoder takes: of 16 bits it heeds the masks, of 32 it doesn't.
const Masks kRead[] = {{16, 0x7c00, 0x3e0, 0x1f}, {16, 0xf800, 0x7e0, 0x1f}, {32, 0xff0000, 0xff00, 0xff}};

void check_masks(std::string_view bytes, const std::string& name) {
  const auto number = [&](size_t at) { return little_endian(bytes, at, 4); };
  const uint64_t bits = little_endian(bytes, 28, 2), red = number(54), green = number(58), blue = number(62);
  const auto is_it = [&](const Masks& known) {
    return known.bits == bits && known.red == red && known.green == green && known.blue == blue;
  };
  if (std::none_of(std::begin(kRead), std::end(kRead), is_it))
    throw Error(name, fmt::format("BMP of {} bits whose masks ({:x}, {:x}, {:x}) aren't read; convert it to PNG", bits,
                                  red, green, blue));
}

std::optional<PictureHeader> header(std::string_view bytes, const std::string& name) {
  if (bytes.size() < 54) return {};
  const uint64_t length = little_endian(bytes, 14, 4);
  if (length != 12 && (length < 40 || length > 124)) throw Error(name, "damaged BMP: no header that is known");
  if (is_old(bytes))
    return PictureHeader{static_cast<int64_t>(little_endian(bytes, 20, 2)),
                         static_cast<int64_t>(little_endian(bytes, 18, 2))};
  const uint64_t compression = little_endian(bytes, 30, 4);
  if (compression != 0 && compression != kMasked)
    throw Error(name, "compressed BMP, which isn't read; convert it to PNG");
  if (compression == kMasked && bytes.size() < 66) return {};
  if (compression == kMasked) check_masks(bytes, name);
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
