// JPEG: segments that each begin with a marker; after those that begin a scan, its data. ITU-T T.81; EXIF 2.3.
#include <csetjmp>
#include <cstdio>

#include <fmt/format.h>
#include <jpeglib.h>

#include "mas/data/pictures/kinds.h"
#include "mas/error.h"
#include "mas/io/bytes.h"

namespace mas {
namespace {

constexpr int kStartOfScan = 0xda, kEndOfImage = 0xd9, kApp1 = 0xe1;
constexpr int kMostScans = 500;  // each goes over all pixels; real ones have about ten (libjpeg-turbo's fuzzers: 500)

bool recognise(std::string_view bytes) { return starts_with(bytes, "\xff\xd8\xff"); }

struct Segment {
  int marker = 0;
  std::string_view content;  // without marker and length
};

// The segment at `at`, which moves behind it. Nothing where the bytes end before it does.
std::optional<Segment> next_segment(std::string_view bytes, size_t& at, const std::string& name) {
  const size_t begin = at;
  while (at < bytes.size() && bytes[at] == '\xff') ++at;  // as many as it likes
  if (at >= bytes.size()) return {};
  if (at == begin) throw Error(name, fmt::format("damaged JPEG: no marker at byte {}", at));
  Segment segment{static_cast<uint8_t>(bytes[at++]), {}};
  if (segment.marker == kEndOfImage) return segment;
  if (bytes.size() - at < 2) return {};
  const size_t length = big_endian(bytes, at, 2);
  if (length < 2) throw Error(name, fmt::format("damaged JPEG: a wrong length at byte {}", at));
  if (bytes.size() - at < length) return {};
  segment.content = bytes.substr(at + 2, length - 2);
  at += length;
  return segment;
}

// Baseline, extended and progressive frames, with Huffman codes.
bool begins_frame(int marker) { return marker >= 0xc0 && marker <= 0xc2; }
// Lossless, hierarchical and arithmetic ones.
bool begins_other_frame(int marker) {
  return marker >= 0xc3 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

// The orientation of an EXIF segment, 1 where there is none: a TIFF header, then entries of 12 bytes (EXIF 2.3, 4.6.2).
int orientation_of(std::string_view content) {
  if (!starts_with(content, std::string_view("Exif\0\0", 6))) return 1;
  const std::string_view tiff = content.substr(6);
  const bool big = starts_with(tiff, "MM");
  if (tiff.size() < 8 || (!big && !starts_with(tiff, "II"))) return 1;
  const auto number = [&](size_t offset, size_t count) {
    return static_cast<size_t>(big ? big_endian(tiff, offset, count) : little_endian(tiff, offset, count));
  };
  const size_t first = number(4, 4);
  if (first > tiff.size() || tiff.size() - first < 2) return 1;
  for (size_t i = 0, count = number(first, 2); i < count && tiff.size() - first - 2 >= 12 * (i + 1); ++i) {
    const size_t entry = first + 2 + 12 * i;
    if (number(entry, 2) != 0x0112) continue;
    const size_t value = number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

PictureHeader frame_of(std::string_view content, const std::string& name) {
  if (content.size() < 6) throw Error(name, "damaged JPEG: a wrong length of its header");
  if (content[0] != 8) throw Error(name, fmt::format("JPEG of {} bits, of which only 8 are read", int{content[0]}));
  return {static_cast<int64_t>(big_endian(content, 1, 2)), static_cast<int64_t>(big_endian(content, 3, 2))};
}

// Up to the frame's header, behind which `at` is then.
std::optional<PictureHeader> read_header(std::string_view bytes, size_t& at, const std::string& name) {
  int orientation = 1;
  while (const auto segment = next_segment(bytes, at, name)) {
    if (segment->marker == kApp1 && orientation == 1) orientation = orientation_of(segment->content);
    if (begins_other_frame(segment->marker))
      throw Error(name, fmt::format("JPEG of a kind that isn't read (lossless, arithmetic or hierarchical, SOF{})",
                                    segment->marker - 0xc0));
    if (segment->marker == kStartOfScan || segment->marker == kEndOfImage)
      throw Error(name, "damaged JPEG: its header is missing");
    if (!begins_frame(segment->marker)) continue;
    PictureHeader result = frame_of(segment->content, name);
    result.orientation = orientation;
    return result;
  }
  return {};
}

std::optional<PictureHeader> header(std::string_view bytes, const std::string& name) {
  size_t at = 2;
  return read_header(bytes, at, name);
}

// Behind the data of a scan: to the next marker that is none of its own.
size_t end_of_scan(std::string_view bytes, size_t at) {
  for (; (at = bytes.find('\xff', at)) != std::string_view::npos && at + 1 < bytes.size(); ++at) {
    const auto next = static_cast<uint8_t>(bytes[at + 1]);
    const bool within = next == 0 || (next >= 0xd0 && next <= 0xd7) || next == 0xff;
    if (!within) return at;
  }
  return bytes.size();
}

struct Listener {
  jpeg_error_mgr manager;
  std::jmp_buf end;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void stop(j_common_ptr info) {
  auto* listener = reinterpret_cast<Listener*>(info->err);
  listener->manager.format_message(info, listener->message);
  std::longjmp(listener->end, 1);
}

void stop_at_warning(j_common_ptr info, int level) {
  if (level < 0) stop(info);  // above, it is talk
}

// What is wrong with the data of the scans; "" where nothing is. OpenCV decodes damaged ones, too, and its libjpeg
// prints a line about it that nobody can turn off. So libjpeg decodes them before, to an eighth of their size.
std::string damage_in(const std::string& bytes) {
  Listener listener{};
  jpeg_decompress_struct info{};
  info.err = jpeg_std_error(&listener.manager);
  listener.manager.error_exit = stop;
  listener.manager.emit_message = stop_at_warning;
  if (setjmp(listener.end) == 0) {  // libjpeg's own memory only: a jump back destroys nothing
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&info, TRUE);
    info.scale_num = 1;
    info.scale_denom = 8;
    info.out_color_space = info.jpeg_color_space;
    jpeg_start_decompress(&info);
    const auto row = info.mem->alloc_sarray(reinterpret_cast<j_common_ptr>(&info), JPOOL_IMAGE,
                                            info.output_width * static_cast<unsigned>(info.output_components), 1);
    while (info.output_scanline < info.output_height) jpeg_read_scanlines(&info, row, 1);
    jpeg_finish_decompress(&info);
  }
  jpeg_destroy_decompress(&info);
  return listener.message;
}

std::string prepare(std::string bytes, const std::string& name) {
  size_t at = 2;
  read_header(bytes, at, name);
  for (int scans = 0; const auto segment = next_segment(bytes, at, name);) {
    if (segment->marker == kEndOfImage) {
      if (scans == 0) throw Error(name, "damaged JPEG: no picture follows its header");
      bytes.resize(at);
      if (const auto damage = damage_in(bytes); !damage.empty())
        throw Error(name, fmt::format("damaged JPEG: libjpeg says '{}'", damage));
      return bytes;
    }
    if (segment->marker != kStartOfScan) continue;
    if (++scans > kMostScans) throw Error(name, fmt::format("JPEG of more than {} scans", kMostScans));
    at = end_of_scan(bytes, at);
  }
  throw Error(name, fmt::format("ends early: {} bytes of a longer JPEG", bytes.size()));
}

}  // namespace

const PictureKind kJpeg{"JPEG", recognise, header, prepare};

}  // namespace mas
