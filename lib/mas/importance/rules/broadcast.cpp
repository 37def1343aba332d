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

std::map<int, Gradient> sum(const Arrival& a, double alpha) {
  std::map<int, Gradient> all;
  for (int slot : a.slots) put(all, slot, broadcast_gradient(a, slot, {}, slot == 1 ? alpha : 1));
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
    if (factor.defined()) put(all, slot, broadcast_gradient(a, slot, factor, 1));
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
      put(all, slot, broadcast_gradient(a, slot, other.reciprocal(), 1));
    else if (self.defined())
      put(all, slot, broadcast_gradient(a, slot, -self / (other * other), 1));
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
  const int64_t dims = int64_t(repeats.size()), across = a.order == Order::kSecond ? 1 : 0;
  if (a.order == Order::kLast || dims <= across || repeats[across] != a.samples) return all;
  // Each dimension apart, how often and the input's own size; the samples' comes first, the others' repeats are summed.
  std::vector<int64_t> shape, over;
  for (int64_t i = 0; i < dims; i++) {
    const int64_t own = i - (dims - int64_t(seen.size()));
    shape.push_back(repeats[i]);
    shape.push_back(own < 0 ? 1 : seen[own]);
    if (i != across) over.push_back(i < across ? 2 * i + 1 : 2 * i);
  }
  const at::Tensor delta = a.delta.reshape(shape).movedim(2 * across, 0);
  all[0].plain = true;
  all[0].each = [=](int64_t first, int64_t count) {
    const at::Tensor d = delta.narrow(0, first, count);
    return reshape_each(over.empty() ? d : d.sum(over), seen);
  };
  return all;
}

}  // namespace

Gradient broadcast_gradient(const Arrival& a, int slot, const at::Tensor& factor, double scale) {
  const auto seen = input_shape(a.node, slot);
  const int64_t extra = a.delta.dim() - int64_t(seen.size());
  if (extra < 0) return {};
  // The dimension of the samples comes first, as [n, t, ...]; the input's own dimensions are 1 there.
  std::vector<int64_t> shape(extra, 1);
  shape.insert(shape.end(), seen.begin(), seen.end());
  const int64_t across = a.order == Order::kSecond ? 1 : 0;
  if (int64_t(shape.size()) <= across || shape[across] != 1) return {};
  const at::Tensor delta = by_sample(a.delta, a.samples, a.order);
  const at::Tensor scaled = factor.defined() ? by_sample(factor.expand(a.delta.sizes()), a.samples, a.order) : factor;
  std::vector<int64_t> over;  // dimensions of [n, t, the others] to sum
  const auto sum_over = [&](int64_t dim) {
    if (delta.size(dim) > 1) over.push_back(dim);
  };
  if (a.order != Order::kSecond || shape[0] == 1) sum_over(1);
  for (int64_t i = across + 1; i < int64_t(shape.size()); i++)
    if (shape[i] == 1) sum_over(i + 1 - across);
  Gradient g;
  g.plain = !factor.defined();
  g.each = [=](int64_t first, int64_t count) {
    at::Tensor d = delta.narrow(0, first, count);
    if (scaled.defined()) d = d * scaled.narrow(0, first, count);
    if (!over.empty()) d = d.sum(over, /*keepdim=*/true);
    return reshape_each(scale == 1 ? d : d * scale, seen);
  };
  return g;
}

const Rule kAdd{"broadcast", add};
const Rule kSubtract{"broadcast", subtract};
const Rule kMultiply{"broadcast", multiply};
const Rule kDivide{"broadcast", divide};
const Rule kExpand{"broadcast", expand};
const Rule kRepeat{"broadcast", repeat};

}  // namespace mas
