#pragma once
#include <ATen/ATen.h>

#include <functional>

#include "mas/importance/kernel/tiles.h"

namespace mas {

/// Sums f(d_n a_nᵀ), f = |.| or square, over samples with one row each. f of a rank-one matrix factorises, f(d) f(a)ᵀ,
/// so many samples are one matrix product, which BLAS does at full speed and with the threads that the network's own
/// products have just woken. float32.
class RankOneSum {
 public:
  /// Takes sums of columns `first` and following, [n, k], on top of what it was given before.
  using Sink = std::function<void(int64_t first, const at::Tensor& sums)>;

  /// hands_on: each product's sums go to a sink, instead of lying in memory once more.
  RankOneSum(int64_t k, int64_t columns, Measure measure, bool hands_on = false);

  /// a [n, k] and d [n, columns], float32 on the CPU, both contiguous; copied.
  void add(const at::Tensor& a, const at::Tensor& d, const Sink& sink = {});
  /// Hands on what waits for a product.
  void finish(const Sink& sink);
  /// [k, columns], a view until the next add(); of sums that aren't handed on.
  at::Tensor sum();
  /// Whether the sums can take a thousand samples more before they have to be cleared: the terms of a product add up in
  /// registers, so a sum is rounded a few times a product only.
  bool exact() const { return products_ < kProductsMost; }
  /// Starts again from zero.
  void clear() { products_ = 0; }

 private:
  void multiply(const Sink& sink);

  int64_t columns_;
  Measure measure_;
  bool hands_on_;
  at::Tensor left_, right_;  // f of the rows that wait for a product: [capacity, k], [capacity, columns]
  at::Tensor omega_;         // [columns, k]; to hand on: of as many columns as a cache holds
  static constexpr int64_t kProductsMost = 16;
  int64_t waiting_ = 0, products_ = 0;
};

}  // namespace mas
