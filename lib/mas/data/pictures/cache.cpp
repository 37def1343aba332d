#include "mas/data/pictures/cache.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <numeric>

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/fingerprint.h"
#include "mas/io/hdf5_layout.h"
#include "mas/text.h"

namespace mas {
namespace {

namespace fs = std::filesystem;

// What lies before HDF5's part tells all that is to be known, so that the file isn't parsed.
constexpr const char* kMark = "mas decoded pictures 1";
constexpr int64_t kHeader = 512;
constexpr int64_t kBytesAtOnce = 64 << 20, kMostRowsAtOnce = 64;  // that are decoded
constexpr int64_t kChecksumBytes = 32;                            // a Fingerprint's text

struct Cache {
  std::shared_ptr<File> file;
  int64_t images = 0, checksums = 0;  // offsets
};

std::string header(const std::string& identity, int64_t images, int64_t checksums) {
  return fmt::format("{}\n{}\n{}\n{}\n", kMark, identity, images, checksums);
}

std::string checksum(const uint8_t* bytes, int64_t count) {
  Fingerprint content;
  content.add(bytes, static_cast<size_t>(count));
  return content.text();
}

bool ends_within(int64_t offset, int64_t bytes, int64_t size) { return offset >= kHeader && offset <= size - bytes; }

// Nothing where there is none, or it was made of other pictures. `strict`: throws where it is no cache at all.
Cache find(const std::string& path, const std::string& identity, const Source& pictures, bool strict) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  Cache cache{std::make_shared<File>(path)};
  const auto lines = cut(cache.file->text(0, kHeader), '\n');
  if (lines[0] != kMark && !strict) return {};
  if (lines[0] != kMark)
    throw Error(path, "is there, but no cache of decoded pictures; give cache= the name of a new file");
  const int64_t size = cache.file->size();
  const bool fits = lines.size() > 4 && lines[1] == identity && parse_number(lines[2], cache.images) &&
                    parse_number(lines[3], cache.checksums) &&
                    ends_within(cache.images, pictures.rows * pictures.row_bytes(), size) &&
                    ends_within(cache.checksums, pictures.rows * kChecksumBytes, size);
  return fits ? cache : Cache();
}

void check_place(const std::string& path) {
  try {
    check_output(path);
  } catch (const Error& error) {
    throw Error(fmt::format("{}; name another file with cache=, or leave it out", error.what()));
  }
}

// What lies there may be another file by now than before the pictures were decoded: a user's is an error, and another
// process's cache of the same pictures as good.
void commit(Replacement& file, const Source& pictures, const std::string& identity, const std::string& path) {
  if (find(path, identity, pictures, /*strict=*/true).file) return;
  try {
    file.commit();
  } catch (const Error&) {
    if (!find(path, identity, pictures, /*strict=*/true).file) throw;
  }
}

void make(const Source& pictures, const std::string& identity, const std::string& path) {
  check_place(path);
  Replacement file(path);
  const auto rows = static_cast<hsize_t>(pictures.rows);
  std::vector<Hdf5Part> parts{{"images", H5T_STD_U8LE, at::kByte, {rows}, pictures.row_bytes()},
                              {"checksums", H5T_STD_U8LE, at::kByte, {rows, kChecksumBytes}, kChecksumBytes}};
  for (int64_t size : pictures.shape) parts[0].shape.push_back(static_cast<hsize_t>(size));
  lay_out_hdf5(parts, file, path, kHeader);
  const std::string begin = header(identity, parts[0].offset, parts[1].offset);
  file.write(0, begin.data(), begin.size());
  const int64_t bytes = pictures.row_bytes();
  const int64_t lot = std::min(pictures.rows, std::clamp<int64_t>(kBytesAtOnce / bytes, 1, kMostRowsAtOnce));
  std::vector<uint8_t> decoded(static_cast<size_t>(lot * bytes));
  for (int64_t first = 0; first < pictures.rows; first += lot) {
    std::vector<int64_t> some(static_cast<size_t>(std::min(lot, pictures.rows - first)));
    std::iota(some.begin(), some.end(), first);
    pictures.read(some, decoded.data());
    std::string checksums;
    for (size_t i = 0; i < some.size(); ++i)
      checksums += checksum(decoded.data() + static_cast<int64_t>(i) * bytes, bytes);
    file.write(parts[0].offset + first * bytes, decoded.data(), some.size() * static_cast<size_t>(bytes));
    file.write(parts[1].offset + first * kChecksumBytes, checksums.data(), checksums.size());
  }
  commit(file, pictures, identity, path);
}

}  // namespace

std::string test_cache(const std::string& cache) {
  const fs::path path = cache;
  return (path.parent_path() / (path.stem().string() + "-test" + path.extension().string())).string();
}

Source cached(Source pictures, const std::string& identity, const std::string& path, bool may_make) {
  Cache cache = find(path, identity, pictures, may_make);
  if (!cache.file && !may_make) return pictures;
  if (!cache.file) {
    make(pictures, identity, path);
    cache = find(path, identity, pictures, may_make);
    if (!cache.file) throw Error(path, "was replaced while it was made");
  }
  const int64_t bytes = pictures.row_bytes();
  const auto read_images = read_stretches({{cache.file, cache.images, bytes, pictures.rows}}, bytes);
  const auto read_checksums =
      read_stretches({{cache.file, cache.checksums, kChecksumBytes, pictures.rows}}, kChecksumBytes);
  pictures.read = [=](at::ArrayRef<int64_t> rows, void* out) {
    read_images(rows, out);
    std::string wanted(rows.size() * kChecksumBytes, '\0');
    read_checksums(rows, wanted.data());
    const auto* row = static_cast<const uint8_t*>(out);
    for (size_t i = 0; i < rows.size(); ++i, row += bytes)
      if (wanted.compare(i * kChecksumBytes, kChecksumBytes, checksum(row, bytes)) != 0)
        throw Error(
            path,
            fmt::format("damaged: picture {} isn't what was written; remove the file, and it is made again", rows[i]));
  };
  pictures.check = nullptr;  // they were all decoded
  return pictures;
}

}  // namespace mas
