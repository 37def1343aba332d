// Arithmetic between a batch and a parameter that is broadcast over it: biases, scales, position embeddings.
#include <torch/csrc/autograd/generated/Functions.h>

#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::generated::AddBackward0;
using torch::autograd::generated::MulBackward0;
using torch::autograd::generated::SubBackward0;

// What reaches the slot is delta * factor * scale (factor undefined: 1), summed over every dimension in which the input
// was broadcast; all but the samples' own. Empty when the input isn't broadcast over the samples.
Gradient reduced(const Arrival& a, int slot, const at::Tensor& factor, double scale) {
  const at::Tensor delta = a.delta;
  const auto seen = input_shape(a.node, slot);
  const int64_t extra = delta.dim() - int64_t(seen.size()), n = a.samples;
  Gradient g;
  if (delta.dim() == 0 || delta.size(0) != n || extra < 0 || (extra == 0 && seen[0] != 1)) return g;
  std::vector<int64_t> over;
  for (int64_t i = 1; i < delta.dim(); i++)
    if (i < extra || seen[i - extra] == 1) over.push_back(i);
  g.each = [=](int64_t first, int64_t count) {
    at::Tensor d = delta.narrow(0, first, count);
    if (factor.defined()) {
      const bool per_sample = factor.dim() == delta.dim() && factor.size(0) == n;
      d = d * (per_sample ? factor.narrow(0, first, count) : factor);
    }
    if (!over.empty()) d = d.sum(over, /*keepdim=*/true);
    auto shape = seen;
    shape.insert(shape.begin(), count);
    return (scale == 1 ? d : d * scale).reshape(shape);
  };
  return g;
}

void put(std::map<int, Gradient>& all, int slot, Gradient g) {
  if (g.each) all[slot] = std::move(g);
}

std::map<int, Gradient> sum(const Arrival& a, double alpha) {
  std::map<int, Gradient> all;
  for (int slot : a.slots) put(all, slot, reduced(a, slot, {}, slot == 1 ? alpha : 1));
  return all;
}

std::map<int, Gradient> add(const Arrival& a) { return sum(a, static_cast<AddBackward0&>(a.node).alpha.toDouble()); }
std::map<int, Gradient> subtract(const Arrival& a) {
  return sum(a, -static_cast<SubBackward0&>(a.node).alpha.toDouble());
}
std::map<int, Gradient> multiply(const Arrival& a) {
  auto& node = static_cast<MulBackward0&>(a.node);
  std::map<int, Gradient> all;
  for (int slot : a.slots) {
    const auto factor = slot == 0 ? saved(node, node.other_) : saved(node, node.self_);
    if (factor.defined()) put(all, slot, reduced(a, slot, factor, 1));
  }
  return all;
}

}  // namespace

const Rule kAdd{"broadcast", add};
const Rule kSubtract{"broadcast", subtract};
const Rule kMultiply{"broadcast", multiply};

}  // namespace mas
