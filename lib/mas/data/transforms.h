#pragma once
#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "mas/data/augmentation.h"
#include "mas/data/pixel_map.h"
#include "mas/data/spec.h"

namespace mas {

/// What a spec does to samples, always in this order: bytes to 0..1, size, crop, pad, rotate, permute, normalize. Plain
/// loops in the calling thread: LibTorch's operators would start a second team of threads from the loader's.
class Transforms {
 public:
  /// `shape`: of a stored sample. normalize=auto must have been replaced by numbers. Throws Error(key, cause) for a
  /// transform that doesn't apply.
  Transforms(const DataSpec& spec, std::vector<int64_t> shape, at::ScalarType type);

  const std::vector<int64_t>& shape() const { return shape_; }  ///< of a transformed sample
  at::ScalarType stored_type() const { return stored_; }        ///< as Dataset::stored_type()
  /// `rows` stored samples, one after the other -> float32 [rows, *shape] (int64 for token ids).
  at::Tensor apply(const void* stored, int64_t rows) const;
  /// The same with random changes in place of crop=: of each sample those that its seed draws. Throws as check().
  at::Tensor apply(const void* stored, const Augmentation& augmentation, const std::vector<uint64_t>& seeds) const;
  /// Throws Error(--augment, cause) where samples can't be changed so.
  void check(const Augmentation& augmentation) const;

 private:
  void add_size(int64_t height, int64_t width, bool square);
  void add_resize(int64_t height, int64_t width);
  void add_crop(int64_t height, int64_t width);
  void add_pad(int64_t pad);
  void add_rotate(double degrees);
  void add_permute(uint64_t seed);
  void add_normalize(const std::string& text);
  void require_image(const char* key) const;
  at::Tensor empty(int64_t rows) const;
  void load(const void* stored, int64_t row, std::vector<float>& to) const;
  void step(const PixelMap& map, std::vector<float>& values, std::vector<float>& spare) const;
  void finish(const std::vector<float>& values, float* out) const;
  int64_t channels() const;
  int64_t pixels() const;  ///< of a channel, as transformed so far

  std::vector<int64_t> shape_;
  at::ScalarType type_, stored_;
  int64_t stored_values_;
  std::vector<PixelMap> steps_;
  std::vector<int64_t> sized_, cropped_;     ///< shapes of a sample after these two
  size_t before_crop_ = 0, after_crop_ = 0;  ///< steps
  std::vector<float> mean_, deviation_;      ///< one a channel, or none
};

}  // namespace mas
