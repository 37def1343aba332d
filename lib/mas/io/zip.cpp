#include "mas/io/zip.h"

#include <zlib.h>

#include <algorithm>

#include "mas/error.h"
#include "mas/io/bytes.h"
#include "mas/text.h"

// PKWARE APPNOTE 6.3.10; the sections are named where their fields are read.
namespace mas {
namespace {

constexpr size_t kEnd = 22, kEntry = 46, kLocal = 30;  // records without their variable parts
constexpr uint64_t kElsewhere = 0xffffffff;            // "see the zip64 record"

// 4.5.3: 64-bit values stand there in this order, those only whose 32-bit field says so.
class Zip64Extra {
 public:
  explicit Zip64Extra(std::string_view extra) {
    constexpr uint64_t kZip64 = 1;
    while (extra.size() >= 4) {
      const uint64_t kind = little_endian(extra, 0, 2), size = little_endian(extra, 2, 2);
      if (size > extra.size() - 4) return;
      if (kind == kZip64) fields_ = extra.substr(4, size);
      extra.remove_prefix(4 + size);
    }
  }
  uint64_t widened(uint64_t value) {
    if (value != kElsewhere || fields_.size() < 8) return value;
    value = little_endian(fields_, 0, 8);
    fields_.remove_prefix(8);
    return value;
  }

 private:
  std::string_view fields_;
};

uint32_t checksum(std::string_view bytes) {
  constexpr size_t kStep = size_t{1} << 30;  // zlib counts in 32 bits
  uLong value = crc32(0, nullptr, 0);
  for (; !bytes.empty(); bytes.remove_prefix(std::min(kStep, bytes.size()))) {
    value =
        crc32(value, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(std::min(kStep, bytes.size())));
  }
  return static_cast<uint32_t>(value);
}

}  // namespace

ZipArchive::ZipArchive(std::string_view bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {
  // 4.3.16, the end record. torch.save leaves no comment behind it; whatever follows it would be one.
  const size_t end = bytes_.rfind(std::string_view("PK\x05\x06", 4));
  if (end == std::string_view::npos || bytes_.size() - end < kEnd) {
    throw Error(name_, "cut short: the zip archive has no end; was the download broken off?");
  }
  uint64_t count = little_endian(bytes_, end + 10, 2), size = little_endian(bytes_, end + 12, 4);
  uint64_t at = little_endian(bytes_, end + 16, 4);
  constexpr size_t kLocator = 20, kEnd64 = 56;  // 4.3.15, 4.3.14
  if (end >= kLocator && starts_with(bytes_.substr(end - kLocator), std::string_view("PK\x06\x07", 4))) {
    const uint64_t record = little_endian(bytes_, end - kLocator + 8, 8);
    if (record > bytes_.size() || bytes_.size() - record < kEnd64 ||
        !starts_with(bytes_.substr(record), std::string_view("PK\x06\x06", 4))) {
      throw Error(name_, "damaged zip archive: no zip64 end record");
    }
    count = little_endian(bytes_, record + 32, 8);
    size = little_endian(bytes_, record + 40, 8);
    at = little_endian(bytes_, record + 48, 8);
  }
  if (at > end || size > end - at) throw Error(name_, "damaged zip archive: its directory lies outside the file");
  read_directory(at, size, count);
}

// 4.3.12
void ZipArchive::read_directory(uint64_t at, uint64_t size, uint64_t count) {
  std::string_view directory = bytes_.substr(at, size);
  uint64_t contents = 0, entries = 0;
  for (; !directory.empty(); ++entries) {
    if (directory.size() < kEntry || !starts_with(directory, std::string_view("PK\x01\x02", 4))) break;
    const size_t name = little_endian(directory, 28, 2), extra = little_endian(directory, 30, 2);
    const size_t whole = kEntry + name + extra + little_endian(directory, 32, 2);
    if (whole > directory.size()) break;
    const Member member = locate(directory, directory.substr(kEntry + name, extra));
    // What overlaps could claim the same bytes over and over.
    contents += member.content.size();
    if (contents > bytes_.size()) throw Error(name_, "damaged zip archive: its members overlap");
    const auto [entry, fresh] = members_.emplace(directory.substr(kEntry, name), member);
    if (!fresh) throw Error(name_, "damaged zip archive: two members are named " + printable(entry->first));
    directory.remove_prefix(whole);
  }
  if (!directory.empty() || entries != count) throw Error(name_, "damaged zip archive: its directory is broken");
}

ZipArchive::Member ZipArchive::locate(std::string_view entry, std::string_view extra) const {
  Member member;
  Zip64Extra wide(extra);
  member.stored = little_endian(entry, 10, 2) == 0;
  member.crc = static_cast<uint32_t>(little_endian(entry, 16, 4));
  wide.widened(little_endian(entry, 24, 4));  // the size before compression comes first
  const uint64_t size = wide.widened(little_endian(entry, 20, 4)), at = wide.widened(little_endian(entry, 42, 4));
  // 4.3.7, the local header, whose name and extra field stand before the content
  if (at > bytes_.size() || bytes_.size() - at < kLocal ||
      !starts_with(bytes_.substr(at), std::string_view("PK\x03\x04", 4))) {
    throw Error(name_, "damaged zip archive: a member isn't where its directory says");
  }
  const uint64_t begin = at + kLocal + little_endian(bytes_, at + 26, 2) + little_endian(bytes_, at + 28, 2);
  if (begin > bytes_.size() || size > bytes_.size() - begin) {
    throw Error(name_, "damaged zip archive: a member reaches beyond the end of the file");
  }
  member.content = bytes_.substr(begin, size);
  return member;
}

std::string_view ZipArchive::content(const std::string& member) const {
  const auto it = members_.find(member);
  if (it == members_.end()) throw Error(name_, "no " + printable(member) + " in the zip archive");
  if (!it->second.stored) throw Error(name_, "compressed zip archive; torch.save stores without compression");
  if (checksum(it->second.content) != it->second.crc) {
    throw Error(name_, "damaged: the checksum of " + printable(member) + " is wrong");
  }
  return it->second.content;
}

std::string ZipArchive::find_ending(const std::string& ending) const {
  const auto it = std::find_if(members_.begin(), members_.end(),
                               [&](const auto& member) { return ends_with(member.first, ending); });
  return it == members_.end() ? "" : it->first;
}

}  // namespace mas
