// PNG: a signature, then chunks of length, type, content and checksum. https://www.w3.org/TR/png/
#include <zlib.h>

#include <fmt/format.h>

#include "mas/data/pictures/kinds.h"
#include "mas/error.h"
#include "mas/io/bytes.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
constexpr size_t kAround = 12;  // bytes of a chunk beside its content

bool recognise(std::string_view bytes) { return starts_with(bytes, kSignature); }

std::optional<PictureHeader> header(std::string_view bytes, const std::string& name) {
  if (bytes.size() < kSignature.size() + kAround + 13) return {};
  if (bytes.substr(kSignature.size() + 4, 4) != "IHDR") throw Error(name, "damaged PNG: doesn't begin with a header");
  return PictureHeader{static_cast<int64_t>(big_endian(bytes, 20, 4)), static_cast<int64_t>(big_endian(bytes, 16, 4))};
}

// Only what makes the pixels: libpng prints what it thinks of the rest, such as colour profiles.
bool is_needed(std::string_view type) {
  return type == "IHDR" || type == "PLTE" || type == "tRNS" || type == "IDAT" || type == "IEND";
}

std::string prepare(std::string bytes, const std::string& name) {
  std::string needed(kSignature);
  const std::string_view all = bytes;
  bool has_data = false;
  for (size_t at = kSignature.size(); all.size() - at >= kAround;) {
    const size_t length = big_endian(all, at, 4);
    if (length > all.size() - at - kAround) break;
    const std::string_view type = all.substr(at + 4, 4), chunk = all.substr(at, length + kAround);
    if (is_needed(type)) {
      const auto* typed = reinterpret_cast<const Bytef*>(chunk.data() + 4);
      if (crc32(0, typed, static_cast<uInt>(length + 4)) != big_endian(chunk, length + 8, 4))
        throw Error(name, fmt::format("damaged PNG: the checksum of its {} at byte {} is wrong", type, at));
      needed += chunk;
    } else if ((type[0] & 0x20) == 0) {  // an upper case letter: not to be passed over
      throw Error(name, fmt::format("damaged PNG: a part of an unknown kind, {}, at byte {}",
                                    printable(std::string(type)), at));
    }
    has_data |= type == "IDAT";
    if (type == "IEND" && !has_data) throw Error(name, "damaged PNG: ends without a picture");
    if (type == "IEND") return needed;
    at += chunk.size();
  }
  throw Error(name, fmt::format("ends early: {} bytes of a longer PNG", all.size()));
}

}  // namespace

const PictureKind kPng{"PNG", recognise, header, prepare};

}  // namespace mas
