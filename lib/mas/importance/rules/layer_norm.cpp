// Layer norm: gradients Σ δ x̂ and Σ δ over the rows of a sample.
#include <torch/csrc/autograd/generated/Functions.h>

#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::generated::NativeLayerNormBackward0;

std::map<int, Gradient> layer_norm(const Arrival& a) {
  auto& node = static_cast<NativeLayerNormBackward0&>(a.node);
  const auto x = saved(node, node.input_), mean = saved(node, node.result1_), inverse = saved(node, node.result2_);
  const auto kept = int64_t(node.normalized_shape.size());
  std::map<int, Gradient> all;
  if (a.delta.sizes() != x.sizes() || a.delta.dim() <= kept) return all;
  const auto delta = a.rows(a.delta, kept);
  if (!delta.defined()) return all;
  if (a.slots.count(1)) {
    const auto values = a.rows(x, kept), middle = a.rows(mean, kept), scale = a.rows(inverse, kept);
    all[1].each = [=](int64_t first, int64_t count) {
      const auto of = [&](const at::Tensor& t) { return t.narrow(0, first, count); };
      return (of(delta) * ((of(values) - of(middle)) * of(scale))).sum(1);
    };
  }
  if (a.slots.count(2)) {
    all[2].plain = true;
    all[2].each = [=](int64_t first, int64_t count) { return delta.narrow(0, first, count).sum(1); };
  }
  return all;
}

}  // namespace

const Rule kLayerNorm{"layer norm", layer_norm};

}  // namespace mas
