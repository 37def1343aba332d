#include "mas/io/npz.h"

#include <zlib.h>

#include <algorithm>
#include <vector>

#include "mas/error.h"
#include "mas/io/atomic_file.h"

// Formats: PKWARE APPNOTE 6.3.10 (zip), numpy.lib.format version 1.0 (npy). Both are little-endian here.
namespace mas {
namespace {

constexpr uint16_t kVersionZip64 = 45;
constexpr uint16_t kVersionPlain = 20;
constexpr uint16_t kUtf8Names = 1 << 11;
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kDosDate = 1 << 5 | 1;  // 1980-01-01, the earliest that there is
constexpr uint32_t kElsewhere = 0xffffffffU;

void put(std::string& to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i) & 0xff);
}

std::string descriptor(at::ScalarType type, const std::string& name) {
  switch (type) {
    case at::kFloat:
      return "<f4";
    case at::kDouble:
      return "<f8";
    case at::kHalf:
      return "<f2";
    case at::kLong:
      return "<i8";
    case at::kInt:
      return "<i4";
    case at::kShort:
      return "<i2";
    case at::kChar:
      return "|i1";
    case at::kByte:
      return "|u1";
    case at::kBool:
      return "|b1";
    case at::kComplexFloat:
      return "<c8";
    case at::kComplexDouble:
      return "<c16";
    default:
      throw Error(name, std::string("NumPy has no type for ") + c10::toString(type));
  }
}

std::string npy_header(const at::Tensor& tensor, const std::string& name) {
  std::string text = "{'descr': '" + descriptor(tensor.scalar_type(), name) + "', 'fortran_order': False, 'shape': (";
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    text += std::to_string(tensor.size(i)) + (tensor.dim() == 1 ? "," : i + 1 < tensor.dim() ? ", " : "");
  }
  text += "), }";
  constexpr size_t kPrefix = 10, kAlignment = 64;
  text.resize((text.size() + 1 + kPrefix + kAlignment - 1) / kAlignment * kAlignment - kPrefix - 1, ' ');
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  put(header, text.size(), 2);
  return header + text;
}

// zlib counts in 32 bits, so larger buffers go through it in steps.
constexpr size_t kStep = size_t{1} << 30;

uint32_t crc(const std::string& bytes) {
  uLong value = crc32(0, nullptr, 0);
  for (size_t at = 0; at < bytes.size(); at += kStep) {
    value = crc32(value, reinterpret_cast<const Bytef*>(bytes.data() + at),
                  static_cast<uInt>(std::min(kStep, bytes.size() - at)));
  }
  return static_cast<uint32_t>(value);
}

std::string deflated(const std::string& bytes, const std::string& name) {
  z_stream stream{};
  constexpr int kRaw = -15, kMemory = 8;
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kRaw, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw Error(name, "no memory to compress it");
  }
  std::string result;
  std::vector<char> buffer(1 << 20);
  size_t at = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    if (stream.avail_in == 0 && at < bytes.size()) {
      const size_t step = std::min(kStep, bytes.size() - at);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + at));
      stream.avail_in = static_cast<uInt>(step);
      at += step;
    }
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    status = deflate(&stream, at == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    result.append(buffer.data(), buffer.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  return result;
}

class ZipWriter {
 public:
  explicit ZipWriter(const NpzOptions& options) : options_(options) {}

  void add(const std::string& name, const std::string& content) {
    if (name.size() > 0xffff) throw Error(name, "too long a name for a zip archive");
    const std::string packed = options_.deflate ? deflated(content, name) : std::string();
    const std::string& data = options_.deflate ? packed : content;
    const uint64_t offset = bytes_.size();
    const bool wide = large(content.size()) || large(data.size());
    std::string common;
    put(common, wide || large(offset) ? kVersionZip64 : kVersionPlain, 2);
    put(common, kUtf8Names, 2);
    put(common, options_.deflate ? kDeflated : kStored, 2);
    put(common, 0, 2);
    put(common, kDosDate, 2);
    put(common, crc(content), 4);
    put(common, wide ? kElsewhere : data.size(), 4);
    put(common, wide ? kElsewhere : content.size(), 4);
    put(common, name.size(), 2);

    std::string sizes;
    if (wide) {
      put(sizes, content.size(), 8);
      put(sizes, data.size(), 8);
    }
    bytes_ += "PK\x03\x04" + common;
    const std::string local_extra = extra(sizes);
    put(bytes_, local_extra.size(), 2);
    bytes_ += name + local_extra + data;

    if (large(offset)) put(sizes, offset, 8);
    const std::string central_extra = extra(sizes);
    directory_ += "PK\x01\x02";
    put(directory_, kVersionZip64, 2);  // made by: the zip version on MS-DOS, so no permissions
    directory_ += common;
    put(directory_, central_extra.size(), 2);
    put(directory_, 0, 10);  // comment, disk, attributes
    put(directory_, large(offset) ? kElsewhere : offset, 4);
    directory_ += name + central_extra;
    ++entries_;
  }

  std::string finish() {
    const uint64_t start = bytes_.size(), size = directory_.size(), end = start + size;
    constexpr uint64_t kMostEntries = 0xfffe;
    const bool wide = large(start) || large(size) || entries_ > kMostEntries;
    bytes_ += directory_;
    if (wide) {
      bytes_ += "PK\x06\x06";
      put(bytes_, 44, 8);  // what follows of this record
      put(bytes_, kVersionZip64, 2);
      put(bytes_, kVersionZip64, 2);
      put(bytes_, 0, 8);
      put(bytes_, entries_, 8);
      put(bytes_, entries_, 8);
      put(bytes_, size, 8);
      put(bytes_, start, 8);
      bytes_ += "PK\x06\x07";
      put(bytes_, 0, 4);
      put(bytes_, end, 8);
      put(bytes_, 1, 4);
    }
    bytes_ += "PK\x05\x06";
    put(bytes_, 0, 4);
    put(bytes_, wide ? 0xffff : entries_, 2);
    put(bytes_, wide ? 0xffff : entries_, 2);
    put(bytes_, wide ? kElsewhere : size, 4);
    put(bytes_, wide ? kElsewhere : start, 4);
    put(bytes_, 0, 2);
    return std::move(bytes_);
  }

 private:
  // The value 0xffffffff itself means "see the zip64 field".
  bool large(uint64_t value) const { return value >= options_.zip64_beyond; }

  static std::string extra(const std::string& fields) {
    std::string result;
    if (fields.empty()) return result;
    put(result, kZip64Extra, 2);
    put(result, fields.size(), 2);
    return result + fields;
  }

  NpzOptions options_;
  std::string bytes_, directory_;
  uint64_t entries_ = 0;
};

}  // namespace

std::string serialize_npz(const NamedTensors& tensors, const NpzOptions& options) {
  ZipWriter zip(options);
  for (const auto& [name, original] : tensors) {
    const at::Tensor tensor = original.detach().cpu().contiguous();
    std::string content = npy_header(tensor, name);
    content.append(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes());
    zip.add(name + ".npy", content);
  }
  return zip.finish();
}

void write_npz(const NamedTensors& tensors, const std::string& path, const NpzOptions& options) {
  write_output(path, serialize_npz(tensors, options));
}

}  // namespace mas
