// PReLU: a slope for negative values, one in all or one a channel; gradient Σ δ x over a sample's negative values.
#include <torch/csrc/autograd/generated/Functions.h>

#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::generated::PreluBackward0;

std::map<int, Gradient> prelu(const Arrival& a) {
  auto& node = static_cast<PreluBackward0&>(a.node);
  std::map<int, Gradient> all;
  const auto x = saved(node, node.self_);
  const auto seen = input_shape(node, 1);
  const int64_t slopes = c10::multiply_integers(seen);
  const bool channels = slopes > 1;  // dimension 1 has one for each
  if (!a.slots.count(1) || a.delta.sizes() != x.sizes() || x.dim() == 0) return all;
  if (channels && !(a.one_row() && x.dim() > 1 && x.size(1) == slopes)) return all;
  const auto delta = by_sample(a.delta, a.samples, a.order), values = by_sample(x, a.samples, a.order);
  all[1].each = [=](int64_t first, int64_t count) {
    const auto d = delta.narrow(0, first, count), v = values.narrow(0, first, count);
    const auto terms = (d * v.clamp_max(0)).reshape({count, slopes, -1});  // [n, 1, C, ...] where there are channels
    return reshape_each(terms.sum(2), seen);
  };
  return all;
}

}  // namespace

const Rule kPrelu{"prelu", prelu};

}  // namespace mas
