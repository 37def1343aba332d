// PNG: a signature, then chunks of length, type, content and checksum. https://www.w3.org/TR/png/
#include <zlib.h>

#include <algorithm>
#include <csetjmp>

#include <fmt/format.h>
#include <png.h>

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

// Only what makes the pixels: the rest, such as a damaged colour profile, is nobody's concern.
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

// What libpng reads from, and what it says.
struct Listener {
  std::string_view rest;
  std::string message;
};

void read_some(png_struct* png, png_byte* out, size_t count) {
  auto& rest = static_cast<Listener*>(png_get_io_ptr(png))->rest;
  if (count > rest.size()) png_error(png, "ends early");
  std::copy_n(rest.data(), count, out);
  rest.remove_prefix(count);
}

[[noreturn]] void stop(png_struct* png, const char* message) {
  static_cast<Listener*>(png_get_error_ptr(png))->message = message;
  png_longjmp(png, 1);
}

void ignore(png_struct*, const char*) {}

// Whatever a PNG has becomes three bytes a pixel.
void ask_for_bgr(png_struct* png, png_info* info) {
  const int colours = png_get_color_type(png, info);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  if (colours == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (colours == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
  if ((colours & PNG_COLOR_MASK_COLOR) == 0) png_set_gray_to_rgb(png);
  png_set_bgr(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

// OpenCV's own libpng prints a line about what it finds, that nobody can turn off; so libpng is asked without it.
std::vector<uint8_t> decode(const std::string& bytes, const PictureHeader& header, const std::string& name) {
  Listener listener{bytes, {}};
  std::vector<uint8_t> bgr(static_cast<size_t>(3 * header.height * header.width));
  std::vector<png_byte*> rows;
  for (int64_t y = 0; y < header.height; ++y) rows.push_back(bgr.data() + 3 * header.width * y);
  png_struct* png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &listener, stop, ignore);
  png_info* info = png ? png_create_info_struct(png) : nullptr;
  if (info && setjmp(png_jmpbuf(png)) == 0) {  // all that has to be destroyed was made before
    png_set_read_fn(png, &listener, read_some);
    png_read_info(png, info);
    ask_for_bgr(png, info);
    if (png_get_rowbytes(png, info) != static_cast<size_t>(3 * header.width)) png_error(png, "not three bytes a pixel");
    png_read_image(png, rows.data());
    png_read_end(png, nullptr);
  }
  const bool began = info != nullptr;
  png_destroy_read_struct(&png, &info, nullptr);
  if (!began) throw Error(name, "not enough memory to decode it");
  if (!listener.message.empty())
    throw Error(name, fmt::format("damaged PNG: libpng says '{}'", printable(listener.message)));
  return bgr;
}

}  // namespace

const PictureKind kPng{"PNG", recognise, header, prepare, decode};

}  // namespace mas
