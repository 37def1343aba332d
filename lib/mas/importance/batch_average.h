#pragma once
#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "mas/importance/accumulator.h"
#include "mas/importance/loop.h"

namespace mas {

/// The estimator of most published code: |.| of the gradient of N samples together, which loses what their signs
/// cancel. Here to be compared with.
class BatchAverage {
 public:
  BatchAverage(Forward forward, std::vector<at::Tensor> parameters, int64_t batch);

  void add(const at::Tensor& x);
  /// Sums over the samples so far, float64; the rest of a block counts as one, and goes on waiting for it to fill.
  std::vector<at::Tensor> sums();
  /// Whether the network's outputs depend on a parameter.
  bool uses(int parameter) const { return used_[parameter]; }
  int64_t count() const { return count_ + waiting_; }

 private:
  void blocks(int64_t samples, const std::function<void(int, const at::Tensor&)>& give);

  Forward forward_;
  std::vector<at::Tensor> parameters_;
  std::vector<int> everyone_;
  std::vector<bool> used_;
  std::vector<Accumulator> sums_;
  int64_t batch_, count_ = 0, waiting_ = 0;
  std::vector<at::Tensor> buffer_;  // the samples that wait
};

}  // namespace mas
