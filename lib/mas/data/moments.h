#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace mas {

/// Mean and deviation of values, by sums that are shifted by the first one, which keeps the variance of values far from
/// 0. Equal values have a deviation of exactly 0; one that isn't finite leaves a mean that isn't.
struct Moments {
  double shift = 0, sum = 0, squares = 0;
  int64_t count = 0;
  void add(double value) {
    if (count++ == 0) shift = value;
    sum += value - shift;
    squares += (value - shift) * (value - shift);
  }
  double mean() const { return count ? shift + sum / static_cast<double>(count) : 0; }
  double deviation() const {
    if (count == 0) return 0;
    const double off = sum / static_cast<double>(count);
    return std::sqrt(std::max(0.0, squares / static_cast<double>(count) - off * off));
  }
};

}  // namespace mas
