#pragma once
#include <ATen/ATen.h>

#include <string>

namespace mas {

/// How far two tensors of sums of |g| lie apart.
struct Difference {
  double largest = 0, total = 0;            ///< max |got - want|, Σ |got - want|
  double want_largest = 0, want_total = 0;  ///< max want, Σ want

  /// noise: what rounding may make of an element. False for NaN.
  bool within(double tolerance, double noise, int64_t elements) const {
    return largest <= tolerance * want_largest + noise &&
           total <= tolerance * want_total + noise * static_cast<double>(elements);
  }
  double relative() const { return want_largest > 0 ? largest / want_largest : largest; }
};

/// Of tensors of one shape and type, float32 or float64, contiguous.
Difference compare(const at::Tensor& got, const at::Tensor& want);

}  // namespace mas
