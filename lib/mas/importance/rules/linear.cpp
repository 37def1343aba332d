// y = x W + b, as addmm or mm: sample n's gradient is x_nᵀ δ_n over its rows; one row makes it rank one.
#include <torch/csrc/autograd/generated/Functions.h>

#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::Node;
using torch::autograd::generated::AddmmBackward0;
using torch::autograd::generated::MmBackward0;

at::Tensor scaled(const at::Tensor& t, const at::Scalar& factor) { return factor.equal(1) ? t : t * factor; }

// [n * t, k] to [count, t, k]
at::Tensor rows(const at::Tensor& t, int64_t samples, int64_t first, int64_t count) {
  const int64_t each = t.size(0) / samples;
  return t.narrow(0, first * each, count * each).reshape({count, each, t.size(1)});
}

Gradient weight(const at::Tensor& x, const at::Tensor& delta, int64_t samples) {
  Gradient g;
  g.product = {x, delta};
  g.each = [=](int64_t first, int64_t count) {
    return at::bmm(rows(x, samples, first, count).transpose(1, 2), rows(delta, samples, first, count));
  };
  return g;
}

std::map<int, Gradient> addmm(const Arrival& a) {
  auto& node = static_cast<AddmmBackward0&>(a.node);
  std::map<int, Gradient> all;
  if (a.slots.count(0)) {
    const auto delta = scaled(a.delta, node.beta);
    const int64_t n = a.samples;
    all[0].each = [=](int64_t first, int64_t count) {
      return delta.size(0) == n ? delta.narrow(0, first, count) : rows(delta, n, first, count).sum(1);
    };
  }
  if (a.slots.count(2)) all[2] = weight(saved(node, node.mat1_), scaled(a.delta, node.alpha), a.samples);
  return all;
}

std::map<int, Gradient> mm(const Arrival& a) {
  auto& node = static_cast<MmBackward0&>(a.node);
  std::map<int, Gradient> all;
  if (a.slots.count(1)) all[1] = weight(saved(node, node.self_), a.delta, a.samples);
  return all;
}

// The weight as the node saw it. A transpose is its own inverse; no other rearrangement is undone here.
at::Tensor seen(const Use& use, int slot, const std::function<at::Tensor(int)>& value) {
  const auto found = use.slots.find(slot);
  if (found == use.slots.end()) return {};
  for (const auto& node : found->second.chain)
    if (node->name() != "TBackward0") return {};
  return found->second.pull(value(found->second.parameter));
}

at::Tensor addmm_output(const Use& use, const std::function<at::Tensor(int)>& value) {
  auto& node = static_cast<AddmmBackward0&>(*use.node);
  const auto bias = seen(use, 0, value), weight = seen(use, 2, value);
  if (!bias.defined() || !weight.defined()) return {};
  return at::addmm(bias, saved(node, node.mat1_), weight, node.beta, node.alpha);
}

at::Tensor mm_output(const Use& use, const std::function<at::Tensor(int)>& value) {
  auto& node = static_cast<MmBackward0&>(*use.node);
  const auto weight = seen(use, 1, value);
  return weight.defined() ? at::mm(saved(node, node.self_), weight) : at::Tensor();
}

}  // namespace

const Rule kLinearAddmm{"linear", addmm, addmm_output};
const Rule kLinearMm{"linear", mm, mm_output};

}  // namespace mas
