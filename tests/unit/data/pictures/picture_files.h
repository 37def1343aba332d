#pragma once
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "unit/data/data_files.h"

/// What the tests of lib/mas/data/pictures share.
namespace data_test {

/// A BMP of 24 bits whose pixel at row y, column x and channel c (red, green, blue) is value(y, x, c).
template <typename Value>
std::string bmp(int height, int width, const Value& value) {
  const auto number = [](uint32_t n, int count) {
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes += static_cast<char>(n >> 8 * i);
    return bytes;
  };
  const int row = (3 * width + 3) / 4 * 4;
  std::string bytes = "BM" + number(54 + row * height, 4) + number(0, 4) + number(54, 4) + number(40, 4) +
                      number(width, 4) + number(height, 4) + number(1, 2) + number(24, 2) + std::string(24, '\0');
  for (int y = height; y-- > 0;) {
    for (int x = 0; x < width; ++x)
      for (int c : {2, 1, 0}) bytes += static_cast<char>(value(y, x, c));
    bytes += std::string(row - 3 * width, '\0');
  }
  return bytes;
}

/// The same of one value.
inline std::string bmp(int height, int width, int value) {
  return bmp(height, width, [&](int, int, int) { return value; });
}

/// A file in a folder, which is made where it isn't there.
inline std::string write_below(const Folder& folder, const std::string& name, const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
  return folder.write(name, bytes);
}

/// The rows below the header of a table with tabs.
inline std::vector<std::vector<std::string>> table(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::vector<std::string>> rows;
  std::string line, field;
  for (std::getline(file, line); std::getline(file, line);) {
    std::istringstream fields(line);
    rows.emplace_back();
    while (std::getline(fields, field, '\t')) rows.back().push_back(field);
  }
  return rows;
}

/// Values of the samples' first pixels, 0 to 255.
inline std::vector<int> first_values(const std::string& spec) {
  const auto all = images(spec).flatten(1);
  std::vector<int> values;
  for (int64_t i = 0; i < all.size(0); ++i) values.push_back(static_cast<int>(all[i][0].item<float>() * 255 + 0.5f));
  return values;
}

inline std::vector<int64_t> label_values(const std::string& spec) {
  const auto all = labels(spec);
  return {all.data_ptr<int64_t>(), all.data_ptr<int64_t>() + all.numel()};
}

}  // namespace data_test
