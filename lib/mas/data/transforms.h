#pragma once
#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

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

 private:
  /// A map from the pixels of a channel to those of its image: each output pixel is a weighted sum of `taps` inputs,
  /// index -1 being outside, where all is 0. Without weights (one tap) it only moves pixels.
  struct Step {
    int64_t in = 0, out = 0, taps = 1;
    std::vector<int32_t> index;  ///< [out, taps]
    std::vector<float> weight;   ///< [out, taps], or empty
    void apply(const float* from, float* to) const;
  };
  void add_size(int64_t height, int64_t width, bool square);
  void add_resize(int64_t height, int64_t width);
  void add_crop(int64_t height, int64_t width);
  void add_pad(int64_t pad);
  void add_rotate(double degrees);
  void add_permute(uint64_t seed);
  void add_normalize(const std::string& text);
  void require_image(const char* key) const;
  int64_t channels() const;
  int64_t pixels() const;  ///< of a channel, as transformed so far

  std::vector<int64_t> shape_;
  at::ScalarType type_, stored_;
  int64_t stored_values_;
  std::vector<Step> steps_;
  std::vector<float> mean_, deviation_;  ///< one a channel, or none
};

}  // namespace mas
