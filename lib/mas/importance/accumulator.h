#pragma once
#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "mas/importance/graph.h"
#include "mas/importance/kernel/outer_sum.h"
#include "mas/importance/kernel/rank_one_sum.h"
#include "mas/importance/rules/rule.h"

namespace mas {

/// The importance of one parameter over the samples so far: float64 sums, in front of them the kernel's float32 panels,
/// which are flushed before they lose digits. Memory is taken when something is added.
class Accumulator {
 public:
  /// brief: of few samples, so that sums in the parameter's own type are good enough, and take less memory.
  Accumulator(const at::Tensor& parameter, Measure measure, bool brief = false)
      : parameter_(parameter), measure_(measure), brief_(brief) {}

  Accumulator(Accumulator&&) = default;
  Accumulator& operator=(Accumulator&&) = default;

  /// Gradients of m samples, [m, ...] with the parameter's elements in their order.
  void add(const at::Tensor& each);
  /// Those of samples that have a few rows of the parameter each; of a leaf without a chain.
  void add(const Gradient::Rows& rows);
  /// Those of `samples` samples as a product or through the kernel; float32. May run inside a hook of the engine.
  void add(const Gradient::Product& product, const Leaf& leaf, int64_t samples);
  void add(const Gradient::Kernel& kernel, const Leaf& leaf);
  /// Another's sum().
  void add_sum(const at::Tensor& sum);
  /// Panels into sums: those that a further thousand samples might cost digits, or everything. Not inside a hook.
  void flush(bool everything = false);
  /// Flushes. float64 unless brief, the parameter's shape; zeros when nothing was added. What is added later doesn't
  /// change it.
  at::Tensor sum();

 private:
  struct Panels {
    std::string layout;
    Leaf leaf;
    std::function<at::Tensor(const at::Tensor&)> arrange;  // from [groups, k, columns] to what the leaf's node saw
    std::unique_ptr<OuterSum> outer;                       // either of them
    std::unique_ptr<RankOneSum> rank_one;
    bool in_place = false, turned = false;  // its products go right into the sums; its sides are exchanged
  };
  Panels& panels(const std::string& kind, int64_t groups, int64_t k, int64_t columns, const Leaf& leaf,
                 std::function<at::Tensor(const at::Tensor&)> arrange);
  void add_rank_one(const at::Tensor& left, const at::Tensor& right, const std::vector<int64_t>& seen,
                    const Leaf& leaf);
  RankOneSum::Sink in_place();
  const at::Tensor& sums();

  at::Tensor parameter_;
  Measure measure_;
  bool brief_;
  at::Tensor sum_;
  std::vector<std::unique_ptr<Panels>> panels_;  // one, unless the network changes how it uses the parameter
};

}  // namespace mas
