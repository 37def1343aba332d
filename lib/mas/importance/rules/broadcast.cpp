// Arithmetic between a batch and a parameter that is broadcast over it: biases, scales, position embeddings. Also
// what repeats a parameter for each sample.
#include <torch/csrc/autograd/generated/Functions.h>

#include "mas/importance/integers.h"
#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::generated::AddBackward0;
using torch::autograd::generated::DivBackward0;
using torch::autograd::generated::MulBackward0;
using torch::autograd::generated::RepeatBackward0;
using torch::autograd::generated::SubBackward0;

// What reaches the slot is delta * factor * scale (factor undefined: 1), summed over every dimension in which the input
// was broadcast; all but the samples' own. Empty when the input isn't broadcast over the samples.
Gradient reduced(const Arrival& a, int slot, const at::Tensor& factor, double scale) {
  const auto seen = input_shape(a.node, slot);
  const int64_t extra = a.delta.dim() - int64_t(seen.size());
  if (extra < 0) return {};
  // The dimension of the samples comes first, as [n, t, ...]; the input's own dimensions are 1 there.
  std::vector<int64_t> shape(extra, 1);
  shape.insert(shape.end(), seen.begin(), seen.end());
  const int64_t across = a.order == Order::kSecond ? 1 : 0;
  if (shape[across] != 1) return {};
  std::vector<int64_t> over;  // dimensions of [n, t, the others] to sum
  if (a.order != Order::kSecond || shape[0] == 1) over.push_back(1);
  for (int64_t i = across + 1; i < int64_t(shape.size()); i++)
    if (shape[i] == 1) over.push_back(i + 1 - across);
  const at::Tensor delta = by_sample(a.delta, a.samples, a.order);
  const at::Tensor scaled = factor.defined() ? by_sample(factor.expand(a.delta.sizes()), a.samples, a.order) : factor;
  auto target = seen;
  target.insert(target.begin(), 0);
  Gradient g;
  g.each = [=](int64_t first, int64_t count) mutable {
    at::Tensor d = delta.narrow(0, first, count);
    if (scaled.defined()) d = d * scaled.narrow(0, first, count);
    if (!over.empty()) d = d.sum(over, /*keepdim=*/true);
    target[0] = count;
    return (scale == 1 ? d : d * scale).reshape(target);
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
std::map<int, Gradient> divide(const Arrival& a) {
  auto& node = static_cast<DivBackward0&>(a.node);
  std::map<int, Gradient> all;
  const auto other = saved(node, node.other_);
  if (!other.defined()) return all;
  for (int slot : a.slots) {
    const auto self = slot == 1 ? saved(node, node.self_) : at::Tensor();
    if (slot == 0)
      put(all, slot, reduced(a, slot, other.reciprocal(), 1));
    else if (self.defined())
      put(all, slot, reduced(a, slot, -self / (other * other), 1));
  }
  return all;
}

// A parameter that was made as large as the batch: its gradient there is still that of single samples.
std::map<int, Gradient> expand(const Arrival& a) { return sum(a, 1); }

std::map<int, Gradient> repeat(const Arrival& a) {
  auto& node = static_cast<RepeatBackward0&>(a.node);
  std::map<int, Gradient> all;
  const auto repeats = integers(node.repeats);
  const auto seen = input_shape(node, 0);
  if (a.order != Order::kFirst || repeats.empty() || repeats[0] != a.samples) return all;
  // Each dimension apart: how often, and the input's own size.
  std::vector<int64_t> shape, over;
  const int64_t extra = int64_t(repeats.size()) - int64_t(seen.size());
  for (int64_t i = 0; i < int64_t(repeats.size()); i++) {
    if (i > 0) over.push_back(int64_t(shape.size()));
    shape.push_back(repeats[i]);
    shape.push_back(i < extra ? 1 : seen[i - extra]);
  }
  const at::Tensor delta = a.delta.reshape(shape);
  auto target = seen;
  target.insert(target.begin(), 0);
  all[0].each = [=](int64_t first, int64_t count) mutable {
    const at::Tensor d = delta.narrow(0, first, count);
    target[0] = count;
    return (over.empty() ? d : d.sum(over)).reshape(target);
  };
  return all;
}

}  // namespace

const Rule kAdd{"broadcast", add};
const Rule kSubtract{"broadcast", subtract};
const Rule kMultiply{"broadcast", multiply};
const Rule kDivide{"broadcast", divide};
const Rule kExpand{"broadcast", expand};
const Rule kRepeat{"broadcast", repeat};

}  // namespace mas
