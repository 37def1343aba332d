#include "mas/data/contact_sheet.h"

#include <png.h>

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "mas/data/source.h"
#include "mas/error.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr int64_t kMostRows = 100;
constexpr int64_t kScanned = int64_t{1} << 16;  // labels at a time
constexpr int64_t kMostPixels = int64_t{1} << 28;

// The first samples of each class, a list a class.
std::vector<std::vector<int64_t>> choose(Dataset& data, int64_t columns) {
  std::vector<std::vector<int64_t>> lines;
  if (!data.has_labels()) {
    for (int64_t row = 0; row < std::min(data.size(), columns * 10); ++row) {
      if (row % columns == 0) lines.emplace_back();
      lines.back().push_back(row);
    }
    return lines;
  }
  std::map<int64_t, size_t> line_of;
  for (int64_t label : data.classes())
    if (lines.size() < static_cast<size_t>(kMostRows)) {
      line_of[label] = lines.size();
      lines.emplace_back();
    }
  size_t full = 0;
  for (int64_t first = 0; first < data.size() && full < lines.size(); first += kScanned) {
    std::vector<int64_t> rows;
    for (int64_t row = first; row < std::min(first + kScanned, data.size()); ++row) rows.push_back(row);
    const at::Tensor labels = data.labels(rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto found = line_of.find(labels.data_ptr<int64_t>()[i]);
      if (found == line_of.end()) continue;
      auto& line = lines[found->second];
      if (static_cast<int64_t>(line.size()) == columns) continue;
      line.push_back(rows[i]);
      full += static_cast<int64_t>(line.size()) == columns;
    }
  }
  return lines;
}

std::string encode(const std::vector<uint8_t>& pixels, int64_t height, int64_t width, bool colour) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string bytes(size, '\0');
  if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr))
    throw Error("contact sheet", image.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::string contact_sheet(Dataset& data, int64_t columns) {
  const auto shape = data.sample_shape();
  if (columns < 1) throw Error("contact sheet", "must have at least one column");
  if (data.stored_type() == at::kLong) throw Error("contact sheet", "draws images, not token ids");
  if (shape.size() != 3 || (shape[0] != 1 && shape[0] != 3))
    throw Error("contact sheet",
                fmt::format("draws images of 1 or 3 channels, not samples of {}; size=HxW makes images of "
                            "flat rows",
                            shape_text(shape)));
  const auto lines = choose(data, columns);
  const int64_t channels = shape[0], cell_height = shape[1] + 1, cell_width = shape[2] + 1;
  const int64_t height = static_cast<int64_t>(lines.size()) * cell_height + 1, width = columns * cell_width + 1;
  const int64_t values = checked_product({height, width}, channels);
  if (values < 0 || values > kMostPixels)
    throw Error("contact sheet", "too large; take fewer columns or a smaller size=HxW");

  double low = 0, high = 1;  // a first pass finds what is outside, a second one draws
  for (const auto& line : lines) {
    if (line.empty()) continue;
    const at::Tensor images = data.images(line);
    low = std::min(low, images.min().item<double>());
    high = std::max(high, images.max().item<double>());
  }
  std::vector<uint8_t> sheet(static_cast<size_t>(values), 255);
  for (size_t l = 0; l < lines.size(); ++l) {
    if (lines[l].empty()) continue;
    const at::Tensor images = data.images(lines[l]);
    const float* value = images.data_ptr<float>();
    for (size_t k = 0; k < lines[l].size(); ++k)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t y = 0; y < shape[1]; ++y)
          for (int64_t x = 0; x < shape[2]; ++x) {
            const int64_t row = static_cast<int64_t>(l) * cell_height + 1 + y;
            const int64_t column = static_cast<int64_t>(k) * cell_width + 1 + x;
            const double shown = (*value++ - low) / (high - low) * 255 + 0.5;
            sheet[static_cast<size_t>((row * width + column) * channels + c)] =
                static_cast<uint8_t>(shown > 0 ? std::min(shown, 255.0) : 0);  // nan is black
          }
  }
  return encode(sheet, height, width, channels == 3);
}

}  // namespace mas
