// Group norm: statistics of each sample's own groups of channels, gradients Σ δ x̂ and Σ δ over its positions.
// Instance norm is batch norm over a parameter repeated for each sample, see broadcast.cpp.
#include <torch/csrc/autograd/generated/Functions.h>

#include "mas/importance/rules/channel_sums.h"
#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::generated::NativeGroupNormBackward0;

std::map<int, Gradient> group_norm(const Arrival& a) {
  auto& node = static_cast<NativeGroupNormBackward0&>(a.node);
  std::map<int, Gradient> all;
  const auto x = saved(node, node.input_);
  if (!a.one_row() || x.dim() < 2) return all;
  // [n, groups] to [n, channels]
  const auto of_channels = [&](const at::Tensor& t) {
    return t.reshape({a.samples, node.group}).repeat_interleave(x.size(1) / node.group, 1);
  };
  const auto mean = of_channels(saved(node, node.result1_)), inverse = of_channels(saved(node, node.result2_));
  if (!sums_channels(a.delta, x, mean)) return all;
  const ChannelSums sums = channel_sums(a.delta, x, mean);
  const auto give = [&](int slot, const at::Tensor& each) {
    if (!a.slots.count(slot)) return;
    all[slot].plain = slot == 2;
    all[slot].each = [=](int64_t first, int64_t count) { return each.narrow(0, first, count); };
  };
  give(1, sums.scaled * inverse);
  give(2, sums.delta);
  return all;
}

}  // namespace

const Rule kGroupNorm{"group norm", group_norm};

}  // namespace mas
