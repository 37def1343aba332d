// Products with a matrix: sample n's gradient is x_nᵀ δ_n over its rows; one row makes it rank one.
#include <torch/csrc/autograd/generated/Functions.h>

#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::Node;
using torch::autograd::generated::AddmmBackward0;
using torch::autograd::generated::BmmBackward0;
using torch::autograd::generated::MmBackward0;
using torch::autograd::generated::MvBackward0;

at::Tensor scaled(const at::Tensor& t, const at::Scalar& factor) { return factor.equal(1) ? t : t * factor; }

// left [rows, k], right [rows, columns]: sample n's gradient is left_nᵀ right_n over its rows. seen: where the node saw
// another shape than [k, columns].
Gradient product(const Arrival& a, const at::Tensor& left, const at::Tensor& right, std::vector<int64_t> seen = {}) {
  const at::Tensor l = a.rows(left, 1), r = a.rows(right, 1);
  Gradient g;
  if (!l.defined() || !r.defined()) return g;
  if (seen.empty()) seen = {l.size(2), r.size(2)};
  g.product = {l.flatten(0, 1), r.flatten(0, 1), seen};
  g.each = [=](int64_t first, int64_t count) {
    return reshape_each(at::bmm(l.narrow(0, first, count).transpose(1, 2), r.narrow(0, first, count)), seen);
  };
  return g;
}

std::map<int, Gradient> addmm(const Arrival& a) {
  auto& node = static_cast<AddmmBackward0&>(a.node);
  std::map<int, Gradient> all;
  if (a.slots.count(0)) put(all, 0, broadcast_gradient(a, 0, {}, node.beta.toDouble()));
  if (a.slots.count(2)) put(all, 2, product(a, saved(node, node.mat1_), scaled(a.delta, node.alpha)));
  return all;
}

std::map<int, Gradient> mm(const Arrival& a) {
  auto& node = static_cast<MmBackward0&>(a.node);
  std::map<int, Gradient> all;
  if (a.slots.count(0)) put(all, 0, product(a, a.delta.t(), saved(node, node.mat2_).t()));
  if (a.slots.count(1)) put(all, 1, product(a, saved(node, node.self_), a.delta));
  return all;
}
at::Tensor mm_lead(const at::Tensor& delta, int slot) { return slot == 0 ? delta.t() : delta; }

std::map<int, Gradient> mv(const Arrival& a) {
  auto& node = static_cast<MvBackward0&>(a.node);
  std::map<int, Gradient> all;
  const at::Tensor x = saved(node, node.self_);
  if (a.slots.count(1)) put(all, 1, product(a, x, a.delta.unsqueeze(1), {x.size(1)}));
  return all;
}

// [batch, rows, columns] of the left factor and [batch, columns, rows] of the right one: rows of x in front.
at::Tensor bmm_lead(const at::Tensor& t, int slot) { return slot == 0 ? t.permute({2, 0, 1}) : t.permute({1, 0, 2}); }

std::map<int, Gradient> bmm(const Arrival& a) {
  auto& node = static_cast<BmmBackward0&>(a.node);
  std::map<int, Gradient> all;
  for (int slot : a.slots) {
    const at::Tensor x = bmm_lead(slot == 0 ? saved(node, node.mat2_) : saved(node, node.self_), slot);
    const at::Tensor delta = bmm_lead(a.delta, slot);
    const at::Tensor &left = slot == 0 ? delta : x, &right = slot == 0 ? x : delta;
    if (x.size(1) == 1) {
      put(all, slot, product(a, left.select(1, 0), right.select(1, 0), {1, left.size(2), right.size(2)}));
      continue;
    }
    // A matrix for each of the batch, which isn't that of the samples: [n, t, batch, ...].
    const at::Tensor l = a.rows(left, 2), r = a.rows(right, 2);
    if (!l.defined() || !r.defined()) continue;
    all[slot].each = [=](int64_t first, int64_t count) {
      return at::matmul(l.narrow(0, first, count).permute({0, 2, 3, 1}),
                        r.narrow(0, first, count).permute({0, 2, 1, 3}));
    };
  }
  return all;
}

// The weight as the node saw it. A transpose is its own inverse; no other rearrangement is undone here.
at::Tensor seen(const Use& use, int slot, const std::function<at::Tensor(int)>& value) {
  const auto found = use.slots.find(slot);
  if (found == use.slots.end()) return {};
  for (const auto& step : found->second.chain)
    if (step.node->name() != "TBackward0") return {};
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
const Rule kLinearMm{"linear", mm, mm_output, mm_lead};
const Rule kLinearMv{"linear", mv};
const Rule kLinearBmm{"linear", bmm, nullptr, bmm_lead};

}  // namespace mas
