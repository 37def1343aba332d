#pragma once
#include <ATen/ATen.h>

#include "mas/importance/kernel/tiles.h"

namespace mas {

/// Sums f(d_n a_nᵀ), f = |.| or square, over samples with one row each. f of a rank-one matrix factorises, f(d) f(a)ᵀ,
/// so many samples are one matrix product, which BLAS does at full speed and with the threads that the network's own
/// products have just woken. float32; sums of at most a thousand samples or so should be taken before more are added.
class RankOneSum {
 public:
  RankOneSum(int64_t k, int64_t columns, Measure measure);

  /// a [n, k] and d [n, columns], float32 on the CPU, both contiguous; copied.
  void add(const at::Tensor& a, const at::Tensor& d);
  /// [k, columns], a view until the next add().
  at::Tensor sum();
  /// Starts again from zero.
  void clear() { empty_ = true; }

 private:
  void multiply();

  Measure measure_;
  at::Tensor left_, right_;  // f of the rows that wait for a product: [capacity, k], [capacity, columns]
  at::Tensor omega_;         // [columns, k]
  int64_t waiting_ = 0;
  bool empty_ = true;
};

}  // namespace mas
