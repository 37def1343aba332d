#include "mas/data/transforms.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "mas/data/source.h"
#include "mas/error.h"
#include "mas/random.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr double kPi = 3.14159265358979323846;

void to_float(const uint8_t* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]) / 255.0f;
}

}  // namespace

Transforms::Transforms(const DataSpec& spec, std::vector<int64_t> shape, at::ScalarType type)
    : shape_(std::move(shape)), type_(type), stored_(type), stored_values_(checked_product(shape_, 1)) {
  if (type == at::kLong) {
    for (const auto& [key, set] : {std::pair{"size", spec.size.has_value()},
                                   {"crop", spec.crop.has_value()},
                                   {"pad", spec.pad > 0},
                                   {"rotate", spec.rotate != 0},
                                   {"permute", spec.permute.has_value()},
                                   {"normalize", !spec.normalize.empty()}})
      if (set) throw Error(key, "not for token ids");
  }
  if (spec.size) add_size(spec.size->first, spec.size->second, spec.square);
  if (spec.crop) add_crop(spec.crop->first, spec.crop->second);
  if (spec.pad) add_pad(spec.pad);
  if (spec.rotate != 0) add_rotate(spec.rotate);
  if (spec.permute) add_permute(*spec.permute);
  if (!spec.normalize.empty()) add_normalize(spec.normalize);
  for (const Step& step : steps_)
    if (!step.weight.empty()) stored_ = at::kFloat;
  if (!mean_.empty()) stored_ = at::kFloat;
}

int64_t Transforms::channels() const { return shape_.size() == 3 ? shape_[0] : 1; }
int64_t Transforms::pixels() const { return checked_product(shape_, 1) / channels(); }

void Transforms::require_image(const char* key) const {
  if (shape_.size() != 3)
    throw Error(key, fmt::format("for images, not for rows of {} values; size=HxW makes images of flat rows",
                                 shape_text(shape_)));
}

void Transforms::add_size(int64_t height, int64_t width, bool square) {
  if (shape_.size() == 1) {
    if (shape_[0] % (height * width) != 0)
      throw Error("size", fmt::format("{} values are no images of {} x {}", shape_[0], height, width));
    shape_ = {shape_[0] / (height * width), height, width};
    return;
  }
  require_image("size");
  if (square) add_crop(std::min(shape_[1], shape_[2]), std::min(shape_[1], shape_[2]));
  add_resize(height, width);
}

void Transforms::add_resize(int64_t height, int64_t width) {
  const int64_t from_height = shape_[1], from_width = shape_[2];
  if (from_height == height && from_width == width) return;
  Step step{from_height * from_width, height * width, 4, {}, {}};
  // Pixel centres at half coordinates, as upsample_bilinear2d with align_corners=false.
  const auto scaled = [](int64_t i, int64_t from, int64_t to) {
    return std::max(0.0, (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5);
  };
  for (int64_t y = 0; y < height; ++y) {
    const double sy = scaled(y, from_height, height);
    const int64_t y0 = std::min(static_cast<int64_t>(sy), from_height - 1), y1 = std::min(y0 + 1, from_height - 1);
    for (int64_t x = 0; x < width; ++x) {
      const double sx = scaled(x, from_width, width);
      const int64_t x0 = std::min(static_cast<int64_t>(sx), from_width - 1), x1 = std::min(x0 + 1, from_width - 1);
      const double fy = sy - static_cast<double>(y0), fx = sx - static_cast<double>(x0);
      for (auto [row, column, weight] : {std::tuple{y0, x0, (1 - fy) * (1 - fx)},
                                         {y0, x1, (1 - fy) * fx},
                                         {y1, x0, fy * (1 - fx)},
                                         {y1, x1, fy * fx}}) {
        step.index.push_back(static_cast<int32_t>(row * from_width + column));
        step.weight.push_back(static_cast<float>(weight));
      }
    }
  }
  shape_ = {shape_[0], height, width};
  steps_.push_back(std::move(step));
}

void Transforms::add_crop(int64_t height, int64_t width) {
  require_image("crop");
  if (shape_[1] == height && shape_[2] == width) return;
  if (height > shape_[1] || width > shape_[2])
    throw Error("crop", fmt::format("{} x {} of images of {} x {}", height, width, shape_[1], shape_[2]));
  const int64_t top = (shape_[1] - height) / 2, left = (shape_[2] - width) / 2;
  Step step{shape_[1] * shape_[2], height * width, 1, {}, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) step.index.push_back(static_cast<int32_t>((top + y) * shape_[2] + left + x));
  shape_ = {shape_[0], height, width};
  steps_.push_back(std::move(step));
}

void Transforms::add_pad(int64_t pad) {
  require_image("pad");
  const int64_t height = shape_[1] + 2 * pad, width = shape_[2] + 2 * pad;
  if (height * width > INT32_MAX / 4) throw Error("pad", fmt::format("images of {} x {} are too large", height, width));
  Step step{
      shape_[1] * shape_[2], height * width, 1, std::vector<int32_t>(static_cast<size_t>(height * width), -1), {}};
  for (int64_t y = 0; y < shape_[1]; ++y)
    for (int64_t x = 0; x < shape_[2]; ++x)
      step.index[static_cast<size_t>((y + pad) * width + x + pad)] = static_cast<int32_t>(y * shape_[2] + x);
  shape_ = {shape_[0], height, width};
  steps_.push_back(std::move(step));
}

void Transforms::add_rotate(double degrees) {
  require_image("rotate");
  const int64_t height = shape_[1], width = shape_[2];
  // Exact quarter turns: sin(pi) is not 0 in floating point.
  const double quarters = degrees / 90;
  const bool exact = quarters == std::floor(quarters);
  const int turn = exact ? (static_cast<int>(quarters) % 4 + 4) % 4 : 0;
  const double cosine = exact ? (turn == 0) - (turn == 2) : std::cos(degrees * kPi / 180);
  const double sine = exact ? (turn == 1) - (turn == 3) : std::sin(degrees * kPi / 180);
  const double middle_y = static_cast<double>(height - 1) / 2, middle_x = static_cast<double>(width - 1) / 2;
  Step step{height * width, height * width, 4, {}, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const double dy = static_cast<double>(y) - middle_y, dx = static_cast<double>(x) - middle_x;
      const double sy = middle_y + sine * dx + cosine * dy, sx = middle_x + cosine * dx - sine * dy;
      const auto y0 = static_cast<int64_t>(std::floor(sy)), x0 = static_cast<int64_t>(std::floor(sx));
      const double fy = sy - std::floor(sy), fx = sx - std::floor(sx);
      for (auto [row, column, weight] : {std::tuple{y0, x0, (1 - fy) * (1 - fx)},
                                         {y0, x0 + 1, (1 - fy) * fx},
                                         {y0 + 1, x0, fy * (1 - fx)},
                                         {y0 + 1, x0 + 1, fy * fx}}) {
        const bool inside = row >= 0 && row < height && column >= 0 && column < width;
        step.index.push_back(inside ? static_cast<int32_t>(row * width + column) : -1);
        step.weight.push_back(static_cast<float>(weight));
      }
    }
  }
  steps_.push_back(std::move(step));
}

void Transforms::add_permute(uint64_t seed) {
  if (shape_.size() != 1 && shape_.size() != 3)
    throw Error("permute", fmt::format("for images and flat rows, not for rows of {} values", shape_text(shape_)));
  const auto order = permutation(pixels(), seed);
  Step step{pixels(), pixels(), 1, {}, {}};
  step.index.assign(order.begin(), order.end());
  steps_.push_back(std::move(step));
}

void Transforms::add_normalize(const std::string& text) {
  for (const auto& [mean, deviation] : parse_normalize(text)) {
    mean_.push_back(static_cast<float>(mean));
    deviation_.push_back(static_cast<float>(deviation));
  }
  const auto count = static_cast<size_t>(channels());
  if (mean_.size() == 1) {
    mean_.resize(count, mean_[0]);
    deviation_.resize(count, deviation_[0]);
  }
  if (mean_.size() != count)
    throw Error("normalize", fmt::format("{} pairs of mean and deviation for {} channels", mean_.size(), count));
}

void Transforms::Step::apply(const float* from, float* to) const {
  const auto at = [from](int32_t i) { return i < 0 ? 0.0f : from[i]; };
  if (weight.empty()) {
    for (int64_t i = 0; i < out; ++i) to[i] = at(index[static_cast<size_t>(i)]);
    return;
  }
  const int32_t* k = index.data();
  const float* w = weight.data();
  for (int64_t i = 0; i < out; ++i, k += 4, w += 4)
    to[i] = w[0] * at(k[0]) + w[1] * at(k[1]) + w[2] * at(k[2]) + w[3] * at(k[3]);
}

at::Tensor Transforms::apply(const void* stored, int64_t rows) const {
  std::vector<int64_t> sizes{rows};
  sizes.insert(sizes.end(), shape_.begin(), shape_.end());
  at::Tensor result = at::empty(sizes, at::device(at::kCPU).dtype(type_ == at::kLong ? at::kLong : at::kFloat));
  if (type_ == at::kLong) {
    std::memcpy(result.data_ptr(), stored, static_cast<size_t>(rows * stored_values_) * sizeof(int64_t));
    return result;
  }
  float* out = result.data_ptr<float>();
  const int64_t planes = channels(), out_values = pixels() * planes;
  const auto load = [&](int64_t row, float* to) {
    if (type_ == at::kByte)
      to_float(static_cast<const uint8_t*>(stored) + row * stored_values_, stored_values_, to);
    else
      std::memcpy(to, static_cast<const float*>(stored) + row * stored_values_,
                  static_cast<size_t>(stored_values_) * sizeof(float));
  };
  std::vector<float> from, to;
  for (int64_t row = 0; row < rows; ++row, out += out_values) {
    if (steps_.empty()) {
      load(row, out);
    } else {
      from.resize(static_cast<size_t>(stored_values_));
      load(row, from.data());
      for (const Step& step : steps_) {
        to.resize(static_cast<size_t>(step.out * planes));
        for (int64_t c = 0; c < planes; ++c) step.apply(from.data() + c * step.in, to.data() + c * step.out);
        from.swap(to);
      }
      std::copy(from.begin(), from.end(), out);
    }
    for (int64_t c = 0; c < planes && !mean_.empty(); ++c) {
      float* plane = out + c * pixels();
      const float mean = mean_[static_cast<size_t>(c)], deviation = deviation_[static_cast<size_t>(c)];
      for (int64_t i = 0, n = pixels(); i < n; ++i) plane[i] = (plane[i] - mean) / deviation;
    }
  }
  return result;
}

}  // namespace mas
