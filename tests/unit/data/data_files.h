#pragma once
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "mas/data/dataset.h"
#include "mas/error.h"

/// What the tests of lib/mas/data share.
namespace data_test {

inline const std::string kSets = std::string(MAS_SHARED_DIR) + "/datasets/";

/// A folder that is gone at the end of the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "mas-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  /// Writes a file, returns its path.
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(*this / name, std::ios::binary) << bytes;
    return *this / name;
  }

 private:
  std::string path_;
};

inline std::unique_ptr<mas::Dataset> open(const std::string& spec, bool want_labels = true) {
  mas::OpenOptions options;
  options.directories = {kSets};
  options.want_labels = want_labels;
  return mas::open_dataset(mas::DataSpec::parse(spec), options);
}

inline std::vector<int64_t> all_rows(const mas::Dataset& data) {
  std::vector<int64_t> rows(static_cast<size_t>(data.size()));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

inline at::Tensor images(const std::string& spec) {
  const auto data = open(spec);
  return data->images(all_rows(*data));
}

inline at::Tensor labels(const std::string& spec) {
  const auto data = open(spec);
  return data->labels(all_rows(*data));
}

/// What opening and reading all of it says; "" where all is well.
inline std::string failure(const std::string& spec) {
  try {
    const auto data = open(spec);
    data->images(all_rows(*data));
    if (data->has_labels()) data->labels(all_rows(*data));
    return "";
  } catch (const mas::Error& error) {
    return error.what();
  }
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline std::string big_endian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

/// An IDX file of bytes.
inline std::string idx(const std::vector<uint32_t>& sizes, const std::string& values) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(sizes.size())};
  for (uint32_t size : sizes) bytes += big_endian(size);
  return bytes + values;
}

}  // namespace data_test
