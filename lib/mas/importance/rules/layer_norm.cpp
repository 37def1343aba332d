// Layer norm: gradients Σ δ x̂ and Σ δ over the rows of a sample.
#include <torch/csrc/autograd/generated/Functions.h>

#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::generated::NativeLayerNormBackward0;

std::map<int, Gradient> layer_norm(const Arrival& a) {
  auto& node = static_cast<NativeLayerNormBackward0&>(a.node);
  const auto x = saved(node, node.input_), mean = saved(node, node.result1_), inverse = saved(node, node.result2_);
  const auto delta = a.delta;
  const int64_t n = a.samples, kept = int64_t(node.normalized_shape.size());
  std::map<int, Gradient> all;
  if (delta.sizes() != x.sizes() || delta.dim() <= kept) return all;
  std::vector<int64_t> shape{n, -1};
  for (auto size : delta.sizes().slice(delta.dim() - kept)) shape.push_back(size);
  const auto of = [=](const at::Tensor& t, int64_t first, int64_t count) {
    const int64_t each = t.size(0) / n;
    return t.narrow(0, first * each, count * each);
  };
  const auto summed = [=](const at::Tensor& t, int64_t count) {
    auto s = shape;
    s[0] = count;
    return t.reshape(s).sum(1);
  };
  if (a.slots.count(1))
    all[1].each = [=](int64_t f, int64_t c) {
      return summed(of(delta, f, c) * ((of(x, f, c) - of(mean, f, c)) * of(inverse, f, c)), c);
    };
  if (a.slots.count(2)) all[2].each = [=](int64_t f, int64_t c) { return summed(of(delta, f, c), c); };
  return all;
}

}  // namespace

const Rule kLayerNorm{"layer norm", layer_norm};

}  // namespace mas
