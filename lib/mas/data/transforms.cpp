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
  sized_ = shape_;
  before_crop_ = steps_.size();
  if (spec.crop) add_crop(spec.crop->first, spec.crop->second);
  cropped_ = shape_;
  after_crop_ = steps_.size();
  if (spec.pad) add_pad(spec.pad);
  if (spec.rotate != 0) add_rotate(spec.rotate);
  if (spec.permute) add_permute(*spec.permute);
  if (!spec.normalize.empty()) add_normalize(spec.normalize);
  for (const PixelMap& step : steps_)
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
  if (shape_[1] == height && shape_[2] == width) return;
  steps_.push_back(view_of(shape_[1], shape_[2], {0, 0, shape_[1], shape_[2]}, height, width));
  shape_ = {shape_[0], height, width};
}

void Transforms::add_crop(int64_t height, int64_t width) {
  require_image("crop");
  if (shape_[1] == height && shape_[2] == width) return;
  if (height > shape_[1] || width > shape_[2])
    throw Error("crop", fmt::format("{} x {} of images of {} x {}", height, width, shape_[1], shape_[2]));
  const Region centre{(shape_[1] - height) / 2, (shape_[2] - width) / 2, height, width};
  steps_.push_back(view_of(shape_[1], shape_[2], centre, height, width));
  shape_ = {shape_[0], height, width};
}

void Transforms::add_pad(int64_t pad) {
  require_image("pad");
  const int64_t height = shape_[1] + 2 * pad, width = shape_[2] + 2 * pad;
  if (height * width > INT32_MAX / 4) throw Error("pad", fmt::format("images of {} x {} are too large", height, width));
  steps_.push_back(view_of(shape_[1], shape_[2], {-pad, -pad, height, width}, height, width));
  shape_ = {shape_[0], height, width};
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
  PixelMap step{height * width, height * width, 4, {}, {}};
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
  PixelMap step{pixels(), pixels(), 1, {}, {}};
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

// What samples become: float32, or int64 for token ids.
at::Tensor Transforms::empty(int64_t rows) const {
  std::vector<int64_t> sizes{rows};
  sizes.insert(sizes.end(), shape_.begin(), shape_.end());
  return at::empty(sizes, at::device(at::kCPU).dtype(type_ == at::kLong ? at::kLong : at::kFloat));
}

void Transforms::load(const void* stored, int64_t row, std::vector<float>& to) const {
  to.resize(static_cast<size_t>(stored_values_));
  if (type_ == at::kByte)
    to_float(static_cast<const uint8_t*>(stored) + row * stored_values_, stored_values_, to.data());
  else
    std::memcpy(to.data(), static_cast<const float*>(stored) + row * stored_values_,
                static_cast<size_t>(stored_values_) * sizeof(float));
}

void Transforms::step(const PixelMap& map, std::vector<float>& values, std::vector<float>& spare) const {
  const int64_t planes = channels();
  spare.resize(static_cast<size_t>(map.out * planes));
  for (int64_t c = 0; c < planes; ++c) map.apply(values.data() + c * map.in, spare.data() + c * map.out);
  values.swap(spare);
}

void Transforms::finish(const std::vector<float>& values, float* out) const {
  if (mean_.empty()) {
    std::copy(values.begin(), values.end(), out);
    return;
  }
  const float* value = values.data();
  const int64_t size = pixels();
  for (size_t c = 0; c < mean_.size(); ++c, value += size, out += size)
    for (int64_t i = 0; i < size; ++i) out[i] = (value[i] - mean_[c]) / deviation_[c];
}

at::Tensor Transforms::apply(const void* stored, int64_t rows) const {
  at::Tensor result = empty(rows);
  if (type_ == at::kLong) {
    std::memcpy(result.data_ptr(), stored, static_cast<size_t>(rows * stored_values_) * sizeof(int64_t));
    return result;
  }
  const int64_t size = pixels() * channels();
  std::vector<float> values, spare;
  for (int64_t row = 0; row < rows; ++row) {
    load(stored, row, values);
    for (const PixelMap& map : steps_) step(map, values, spare);
    finish(values, result.data_ptr<float>() + row * size);
  }
  return result;
}

void Transforms::check(const Augmentation& augmentation) const {
  constexpr const char* option = "--augment";
  if (type_ == at::kLong) throw Error(option, "not for token ids");
  if (sized_.size() != 3)
    throw Error(option, fmt::format("for images, not for rows of {} values; size=HxW makes images of flat rows",
                                    shape_text(sized_)));
  if (augmentation.crop.value_or(1) == 0 && sized_ == cropped_)
    throw Error(option,
                fmt::format("crop has one place only for a window of {0} x {1} in images of {0} x {1}; make them "
                            "larger than crop= in the data spec, or pad them as with crop:4",
                            sized_[1], sized_[2]));
}

at::Tensor Transforms::apply(const void* stored, const Augmentation& augmentation,
                             const std::vector<uint64_t>& seeds) const {
  check(augmentation);
  at::Tensor result = empty(static_cast<int64_t>(seeds.size()));
  const int64_t size = pixels() * channels();
  std::vector<float> values, spare;
  for (size_t row = 0; row < seeds.size(); ++row) {
    load(stored, static_cast<int64_t>(row), values);
    for (size_t i = 0; i < before_crop_; ++i) step(steps_[i], values, spare);
    SplitMix64 random(seeds[row]);
    step(augmentation.draw(sized_[1], sized_[2], cropped_[1], cropped_[2], random), values, spare);
    for (size_t i = after_crop_; i < steps_.size(); ++i) step(steps_[i], values, spare);
    finish(values, result.data_ptr<float>() + static_cast<int64_t>(row) * size);
  }
  return result;
}

}  // namespace mas
