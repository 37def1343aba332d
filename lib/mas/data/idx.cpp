// IDX, the format of MNIST: 0, 0, type, rank; rank big-endian 32-bit sizes; the values.
// http://yann.lecun.com/exdb/mnist/
#include "mas/data/idx.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "mas/data/formats.h"
#include "mas/data/label_file.h"
#include "mas/error.h"
#include "mas/io/bytes.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr int kBytes = 0x08;
constexpr int kMaxRank = 8;

struct Header {
  int type = 0;
  std::vector<int64_t> sizes;
  int64_t offset() const { return 4 + 4 * static_cast<int64_t>(sizes.size()); }
};

uint8_t byte(const char* bytes, int64_t index) { return static_cast<uint8_t>(bytes[index]); }

int64_t element_bytes(int type) {
  switch (type) {
    case 0x08:
    case 0x09:
      return 1;
    case 0x0B:
      return 2;
    case 0x0C:
    case 0x0D:
      return 4;
    case 0x0E:
      return 8;
    default:
      return 0;
  }
}

std::optional<Header> parse(const char* bytes, int64_t count) {
  if (count < 4 || byte(bytes, 0) != 0 || byte(bytes, 1) != 0) return {};
  Header header;
  header.type = byte(bytes, 2);
  const int rank = byte(bytes, 3);
  if (!element_bytes(header.type) || rank < 1 || rank > kMaxRank || count < 4 + 4 * rank) return {};
  for (int64_t i = 4; i < 4 + 4 * rank; i += 4)
    header.sizes.push_back(int64_t{byte(bytes, i)} << 24 | byte(bytes, i + 1) << 16 | byte(bytes, i + 2) << 8 |
                           byte(bytes, i + 3));
  return header;
}

bool little_endian(const std::string& head) {
  return head.size() >= 4 && byte(head.data(), 0) >= 1 && byte(head.data(), 0) <= kMaxRank &&
         element_bytes(byte(head.data(), 1)) && head[2] == 0 && head[3] == 0;
}

Header checked_header(const File& file) {
  const std::string head = file.text(0, 4 + 4 * kMaxRank);
  const auto header = parse(head.data(), static_cast<int64_t>(head.size()));
  if (!header)
    throw Error(file.name(), little_endian(head) ? "wrong idx magic number: little-endian, idx is big-endian"
                                                 : "the idx header is cut short");
  const int magic = header->type << 8 | static_cast<int>(header->sizes.size());
  if (header->type != kBytes)
    throw Error(file.name(), fmt::format("idx magic number {} (type 0x{:02x}): only bytes (type 0x08) are read", magic,
                                         header->type));
  const std::string sizes = shape_text(header->sizes);
  if (std::count(header->sizes.begin(), header->sizes.end(), 0))
    throw Error(file.name(), fmt::format("empty: the idx header says {}", sizes));
  const int64_t length = *idx_length(head.data(), static_cast<int64_t>(head.size()));
  if (file.size() < length)
    throw Error(file.name(),
                fmt::format("too short: the idx header says {}, but {} bytes are there", sizes, file.size()));
  if (file.size() > length)
    throw Error(file.name(), fmt::format("{} bytes too many: the idx header (magic number {}) says {}; a wrong magic "
                                         "number or a damaged file",
                                         file.size() - length, magic, sizes));
  return *header;
}

// train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte, with and without .gz; also with '.' before idx.
std::string sibling_labels(const std::string& path) {
  const size_t slash = path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1;
  std::string name = path.substr(slash);
  const size_t images = name.rfind("images");
  if (images == std::string::npos) return "";
  name.replace(images, 6, "labels");
  const size_t rank = name.find("idx", images);
  if (rank != std::string::npos && rank + 3 < name.size()) name[rank + 3] = '1';
  const bool packed = ends_with(name, ".gz");
  const std::string beside = path.substr(0, slash) + name;
  if (access(beside.c_str(), F_OK) == 0) return beside;
  const std::string other = packed ? beside.substr(0, beside.size() - 3) : beside + ".gz";
  return access(other.c_str(), F_OK) == 0 ? other : "";
}

}  // namespace

std::optional<int64_t> idx_length(const char* bytes, int64_t count) {
  const auto header = parse(bytes, count);
  if (!header) return {};
  const int64_t content = checked_product(header->sizes, element_bytes(header->type));
  return content < 0 ? INT64_MAX : content + header->offset();  // more than any file has
}

std::vector<int32_t> read_idx_labels(const File& file) {
  const Header header = checked_header(file);
  if (header.sizes.size() != 1)
    throw Error(file.name(),
                fmt::format("labels have one dimension, but the idx header says {}", shape_text(header.sizes)));
  std::vector<int32_t> labels(static_cast<size_t>(header.sizes[0]));
  std::vector<uint8_t> chunk(1 << 16);
  for (size_t done = 0; done < labels.size(); done += chunk.size()) {
    const size_t count = std::min(chunk.size(), labels.size() - done);
    file.read(header.offset() + static_cast<int64_t>(done), static_cast<int64_t>(count), chunk.data());
    std::copy_n(chunk.begin(), count, labels.begin() + static_cast<std::ptrdiff_t>(done));
  }
  return labels;
}

Match recognise_idx(const File& file) {
  const std::string head = file.text(0, 4 + 4 * kMaxRank);
  const auto length = idx_length(head.data(), static_cast<int64_t>(head.size()));
  if (length && *length == file.size()) return Match::kSurely;
  const bool begins = head.size() >= 4 && head[0] == 0 && head[1] == 0 && element_bytes(byte(head.data(), 2));
  return length || begins || little_endian(head) ? Match::kPerhaps : Match::kNo;
}

Source open_idx(const std::shared_ptr<File>& file, const SourceRequest& request) {
  const Header header = checked_header(*file);
  Source source;
  source.rows = header.sizes[0];
  source.shape.assign(header.sizes.begin() + 1, header.sizes.end());
  if (source.shape.size() == 2) source.shape.insert(source.shape.begin(), 1);  // one channel
  if (source.shape.empty()) source.shape = {1};
  source.read = read_stretches({{file, header.offset(), source.row_bytes(), source.rows}}, source.row_bytes());
  const std::string labels = request.labels.empty() ? sibling_labels(file->name()) : "";
  if (!labels.empty()) use_label_file(source, labels, file->name(), request.scratch);
  return source;
}

}  // namespace mas
