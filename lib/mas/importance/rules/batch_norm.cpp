// Batch norm with running statistics: an affine map of each channel, gradients Σ δ x̂ and Σ δ over a sample's positions.
#include <torch/csrc/autograd/generated/Functions.h>

#include "mas/importance/rules/channel_sums.h"
#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::generated::NativeBatchNormBackward0;

std::map<int, Gradient> batch_norm(const Arrival& a) {
  auto& node = static_cast<NativeBatchNormBackward0&>(a.node);
  std::map<int, Gradient> all;
  const auto x = saved(node, node.input_), mean = saved(node, node.running_mean_), var = saved(node, node.running_var_);
  if (node.training || !mean.defined() || !sums_channels(a.delta, x, mean)) return all;
  const ChannelSums sums = channel_sums(a.delta, x, mean);
  const auto give = [&](int slot, const at::Tensor& per_row) {
    if (!a.slots.count(slot)) return;
    const at::Tensor apart = a.rows(per_row, 1);
    if (!apart.defined()) return;
    const at::Tensor each = apart.size(1) == 1 ? apart.select(1, 0) : apart.sum(1);
    all[slot].plain = slot == 2;
    all[slot].each = [=](int64_t first, int64_t count) { return each.narrow(0, first, count); };
  };
  give(1, sums.scaled * (var + node.eps).rsqrt());
  give(2, sums.delta);
  return all;
}

}  // namespace

const Rule kBatchNorm{"batch norm", batch_norm};

}  // namespace mas
