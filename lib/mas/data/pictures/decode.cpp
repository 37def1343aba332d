#include "mas/data/pictures/decode.h"

#include <algorithm>

#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>

#include "mas/data/pictures/kinds.h"
#include "mas/error.h"
#include "mas/io/bytes.h"
#include "mas/io/likely_content.h"
#include "mas/text.h"

namespace mas {
namespace {

const PictureKind* const kKinds[] = {&kPng, &kJpeg, &kBmp, &kWebp};
const char* const kRead[] = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp"};
const char* const kUnread[] = {".gif", ".tif", ".tiff", ".avif", ".heic", ".heif", ".jp2", ".jxl", ".ppm", ".pgm"};

constexpr int64_t kFirstLook = 1 << 12;            // bytes; more where a header is further in
constexpr int64_t kMostPixels = int64_t{1} << 26;  // of one picture
constexpr int64_t kMostBytes = int64_t{1} << 28;

[[noreturn]] void refuse(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) throw Error(name, "empty file");
  if (starts_with(bytes, "GIF8")) throw Error(name, "a GIF, which isn't read; convert it to PNG, or move it elsewhere");
  if (starts_with(bytes, std::string_view("II*\0", 4)) || starts_with(bytes, std::string_view("MM\0*", 4)))
    throw Error(name, "a TIFF, which isn't read; convert it to PNG, or move it elsewhere");
  throw Error(name, mistake(bytes.substr(0, 512), "a picture that is read (PNG, JPEG, BMP or WebP)"));
}

const PictureKind& kind_of(std::string_view bytes, const std::string& name) {
  const PictureKind* kind = find_picture_kind(bytes);
  if (!kind) refuse(bytes, name);
  return *kind;
}

void check_sides(const PictureHeader& header, const std::string& name) {
  if (header.height < 1 || header.width < 1)
    throw Error(name, fmt::format("damaged: its header says {} x {} pixels", header.width, header.height));
  if (header.width > kMostPixels / header.height)
    throw Error(name, fmt::format("too large: its header says {} x {} pixels, and up to {} are read", header.width,
                                  header.height, kMostPixels));
}

// A look at the beginning, and a longer one where that isn't enough.
PictureHeader look_at(const File& file) {
  for (int64_t count = kFirstLook;; count *= 16) {
    const std::string bytes = file.text(0, count);
    const PictureKind& kind = kind_of(bytes, file.name());
    if (const auto header = kind.header(bytes, file.name())) {
      check_sides(*header, file.name());
      return *header;
    }
    if (count >= file.size())
      throw Error(file.name(), fmt::format("ends early: {} bytes of a longer {}", file.size(), kind.name));
  }
}

bool is_transposed(const PictureHeader& header) { return header.orientation >= 5; }

std::pair<int64_t, int64_t> upright_sides(const PictureHeader& header) {
  return is_transposed(header) ? std::pair{header.width, header.height} : std::pair{header.height, header.width};
}

// The planes of interleaved blue, green and red, turned: EXIF's orientation says which stored corner is on the top
// left, and what is a row.
Picture upright(const cv::Mat& bgr, const PictureHeader& header) {
  const int o = header.orientation;
  const bool from_bottom = o == 3 || o == 4 || o == 6 || o == 7, from_right = o == 2 || o == 3 || o == 7 || o == 8;
  const uint8_t* corner = bgr.ptr(from_bottom ? bgr.rows - 1 : 0) + 3 * (from_right ? bgr.cols - 1 : 0);
  auto down = static_cast<std::ptrdiff_t>(bgr.step), right = std::ptrdiff_t{3};
  if (from_bottom) down = -down;
  if (from_right) right = -right;
  const auto [height, width] = upright_sides(header);
  if (is_transposed(header)) std::swap(down, right);
  Picture picture{height, width, std::vector<uint8_t>(static_cast<size_t>(3 * height * width))};
  uint8_t* out = picture.rgb.data();
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* pixel = corner + y * down;
    for (int64_t x = 0; x < width; ++x, ++out, pixel += right)
      for (int64_t c = 0; c < 3; ++c) out[c * height * width] = pixel[2 - c];
  }
  return picture;
}

cv::Mat decode(const std::string& bytes, const PictureHeader& header) try {
  const cv::Mat wrapped(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data()));
  const cv::Mat bgr = cv::imdecode(wrapped, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  return bgr.type() == CV_8UC3 && bgr.rows == header.height && bgr.cols == header.width ? bgr : cv::Mat();
} catch (const cv::Exception&) {
  return {};  // it isn't for users' eyes: several lines, with places in OpenCV's sources
}

}  // namespace

const PictureKind* find_picture_kind(std::string_view bytes) {
  const auto* found =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](auto kind) { return kind->recognise(bytes); });
  return found == std::end(kKinds) ? nullptr : *found;
}

bool has_picture_name(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return false;
  const std::string ending = in_small_letters(name.substr(dot));
  const auto is_it = [&](const char* known) { return ending == known; };
  return std::any_of(std::begin(kRead), std::end(kRead), is_it) ||
         std::any_of(std::begin(kUnread), std::end(kUnread), is_it);
}

std::pair<int64_t, int64_t> picture_sides(const File& file) { return upright_sides(look_at(file)); }

Picture decode_picture(const File& file) {
  if (file.size() > kMostBytes)
    throw Error(file.name(), fmt::format("too large: {} bytes, and up to {} are read", file.size(), kMostBytes));
  std::string bytes = file.text(0, file.size());
  const PictureKind& kind = kind_of(bytes, file.name());
  const auto header = kind.header(bytes, file.name());
  if (!header) throw Error(file.name(), fmt::format("ends early: {} bytes of a longer {}", file.size(), kind.name));
  check_sides(*header, file.name());
  bytes = kind.prepare(std::move(bytes), file.name());
  if (kind.decode) {
    auto pixels = kind.decode(bytes, *header, file.name());
    return upright(cv::Mat(static_cast<int>(header->height), static_cast<int>(header->width), CV_8UC3, pixels.data()),
                   *header);
  }
  const cv::Mat bgr = decode(bytes, *header);
  if (bgr.empty()) throw Error(file.name(), fmt::format("damaged {}: can't be decoded", kind.name));
  return upright(bgr, *header);
}

}  // namespace mas
