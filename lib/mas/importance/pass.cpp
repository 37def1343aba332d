#include "mas/importance/pass.h"

#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/generated/Functions.h>

#include <algorithm>
#include <numeric>

namespace mas {
namespace {

using torch::autograd::Node;
using torch::autograd::variable_list;

constexpr int64_t kFlushTerms = 1024;  // float32 sums of more squares lose digits
constexpr int64_t kChunk = 1 << 22;    // elements of per-sample gradients in memory at a time

// Sees the gradient that arrives at a node, and hands it on.
class Tap : public torch::autograd::FunctionPreHook {
 public:
  explicit Tap(std::function<void(const at::Tensor&)> see) : see_(std::move(see)) {}
  variable_list operator()(const variable_list& gradients) override {
    see_(gradients[0]);
    return gradients;
  }

 private:
  std::function<void(const at::Tensor&)> see_;
};

bool kernel_takes(const at::Tensor& t) { return t.scalar_type() == at::kFloat && t.device().is_cpu(); }
bool kernel_takes(const Gradient::Product& p) {
  return p.left.defined() && kernel_takes(p.left) && kernel_takes(p.right);
}

// The ReLU whose only input is the node's output, seen through reshapes that keep the elements' order.
Node* following_relu(const Graph& graph, Node* node) {
  for (;;) {
    const auto found = graph.consumers.find(node);
    if (found == graph.consumers.end() || found->second.size() != 1) return nullptr;
    node = found->second[0];
    const auto name = node->name();
    if (name == "ReluBackward0") return node;
    if (name != "ViewBackward0" && name != "UnsafeViewBackward0" && name != "ReshapeAliasBackward0") return nullptr;
  }
}

}  // namespace

Pass::Pass(const Forward& forward, const at::Tensor& x, const ParameterIndex& index, const std::vector<bool>& active,
           const std::vector<Order>& orders, Method method)
    : method_(method), samples_(x.size(0)), orders_(orders) {
  at::AutoGradMode on(true);
  y_ = forward(x);
  graph_ = walk(
      y_, index, [&](int i) { return bool(active[i]); },
      [&](Node& node) {
        const Rule* rule = find_rule(node);
        return rule && (method != Method::kLocal || rule->output);
      });
  for (const auto& [parameter, node] : graph_.unknown) refused_[parameter] = "no rule for " + node;
}

void Pass::add(const std::vector<at::Tensor>& parameters, std::vector<Accumulator>& accumulators, const Seeds& seeds,
               const at::Tensor& given, const std::vector<int64_t>& rows) {
  accumulators_ = &accumulators;
  for (const int64_t row : rows.empty() ? std::vector<int64_t>{-1} : rows) {
    row_ = row;
    kept_ = !rows.empty() && row != rows.back();
    if (method_ == Method::kLocal)
      local(parameters);
    else
      backward(seeds, given);
  }
}

// The seed of the sample that is seeded alone.
at::Tensor Pass::masked(const at::Tensor& seed) const {
  if (!alone()) return seed;
  at::Tensor one = at::zeros_like(seed);
  one.select(0, row_).copy_(seed.select(0, row_));
  return one;
}

void Pass::backward(const Seeds& seeds, const at::Tensor& given) {
  torch::autograd::edge_list outputs;
  std::vector<const Use*> ends;
  for (const auto& use : graph_.uses) {
    if (use.terminal) {
      outputs.emplace_back(use.node, 0);
      ends.push_back(&use);
    } else if (!tapped_) {
      use.node->add_pre_hook(std::make_unique<Tap>([this, &use](const at::Tensor& delta) { arrive(use, delta); }));
    }
  }
  tapped_ = true;
  if (outputs.empty()) return;
  const int64_t count = seeds.count(y_);
  for (int64_t s = 0; s < count; s++) {
    at::Tensor seed;
    {
      at::NoGradGuard off;
      seed = masked(seeds.at(y_.detach(), given, s));
    }
    const auto deltas = torch::autograd::Engine::get_default_engine().execute(
        {torch::autograd::impl::gradient_edge(y_)}, {seed}, /*keep_graph=*/kept_ || s + 1 < count,
        /*create_graph=*/false, /*accumulate_grad=*/false, outputs);
    for (size_t i = 0; i < deltas.size(); i++) arrive(*ends[i], deltas[i]);
    add_waiting();
    if (s + 1 < count && (s + 1) * samples_ / kFlushTerms > s * samples_ / kFlushTerms) {
      at::NoGradGuard off;
      for (auto& a : *accumulators_) a.flush();
    }
  }
}

void Pass::add_waiting() {
  at::NoGradGuard off;
  for (const auto& waiting : waiting_) {
    const int parameter = waiting.first;
    if (refused_.count(parameter) || turned_.count(parameter)) continue;
    guarded({parameter}, [&] { add_together(parameter, waiting.second); });
  }
  waiting_.clear();
}

// Section 4.2 of the paper: the gradient of ||y_l||^2, 2 y_l, with the layer's input held constant.
void Pass::local(const std::vector<at::Tensor>& parameters) {
  at::NoGradGuard off;
  for (const auto& use : graph_.uses) {
    at::Tensor y;
    if (Node* relu = following_relu(graph_, use.node.get()))
      y = saved(*relu, static_cast<torch::autograd::generated::ReluBackward0*>(relu)->result_).detach();
    else
      y = find_rule(*use.node)->output(use, [&](int i) { return parameters[i].detach(); });
    if (!y.defined()) {
      for (const auto& slot : use.slots) refused_[slot.second.parameter] = "the layer's output can't be told";
      continue;
    }
    const auto shape = output_shape(*use.node, 0);
    y = y.reshape(shape);
    if (y.size(0) % samples_ == 0) y = masked(y.reshape({samples_, -1})).reshape(shape);
    arrive(use, 2 * y);
  }
  add_waiting();
}

// apart: [n, t, ...]
bool Pass::coupled(const at::Tensor& apart) const {
  auto others = at::ones(samples_, at::kBool);
  others[row_] = false;
  return apart.flatten(1).ne(0).any(1).logical_and_(others.to(apart.device())).any().item<bool>();
}

// Whether the gradient's rows have the samples where the parameter's should. When one sample is seeded alone, the rows
// that aren't zero tell.
bool Pass::in_order(int parameter, const at::Tensor& lead) {
  const Order own = orders_[parameter];
  const at::Tensor apart = by_sample(lead, samples_, own);
  if (!alone()) {
    if (!apart.defined()) refused_[parameter] = "the layer's samples aren't along a dimension of its output";
    return apart.defined();
  }
  if (apart.defined() && !coupled(apart)) return true;
  bool fits = apart.defined();
  for (const Order other : {Order::kFirst, Order::kSecond, Order::kLast}) {
    const at::Tensor turned = other == own ? at::Tensor() : by_sample(lead, samples_, other);
    fits = fits || turned.defined();
    if (!turned.defined() || coupled(turned)) continue;
    turned_[parameter] = other;
    return false;
  }
  refused_[parameter] =
      fits ? "samples of a batch influence one another" : "the layer's samples aren't along a dimension of its output";
  return false;
}

void Pass::arrive(const Use& use, const at::Tensor& delta) {
  if (!delta.defined()) return;
  at::NoGradGuard off;
  const Rule& rule = *find_rule(*use.node);
  std::map<Order, std::set<int>> slots;
  for (const auto& [slot, leaf] : use.slots) {
    if (refused_.count(leaf.parameter) || turned_.count(leaf.parameter)) continue;
    if (in_order(leaf.parameter, rule.lead ? rule.lead(delta, slot) : delta))
      slots[orders_[leaf.parameter]].insert(slot);
  }
  for (const auto& [order, wanted] : slots) {
    Arrival arrival{*use.node, delta, samples_, order, wanted, kernel_takes(delta)};
    for (int slot : wanted) {
      const Leaf& leaf = use.slots.at(slot);
      arrival.kernels = arrival.kernels && leaf.moves && graph_.times.at(leaf.parameter) == 1;
    }
    std::vector<int> parameters;
    for (int slot : wanted) parameters.push_back(use.slots.at(slot).parameter);
    guarded(parameters, [&] { take(use, rule.name, wanted, rule.gradients(arrival)); });
    if (row_ < 0) continue;
    const double total = delta.abs().sum(at::kDouble).item<double>();
    for (int slot : wanted) arrived_[use.slots.at(slot).parameter] += total;
  }
}

// A rule that fails on a use that it wasn't made for costs its parameters time, not the run.
void Pass::guarded(const std::vector<int>& parameters, const std::function<void()>& work) {
  try {
    work();
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    if (what.find("allocate memory") != std::string::npos) throw;
    for (int parameter : parameters) refused_[parameter] = "its rule failed: " + what.substr(0, what.find('\n'));
  }
}

void Pass::take(const Use& use, const char* rule, const std::set<int>& slots,
                const std::map<int, Gradient>& gradients) {
  for (int slot : slots) {
    const Leaf& leaf = use.slots.at(slot);
    const auto found = gradients.find(slot);
    if (found == gradients.end()) {
      refused_[leaf.parameter] = "no rule for this use of " + use.node->name();
      continue;
    }
    rules_[leaf.parameter].insert(rule);
    if (!found->second.plain) not_plain_.insert(leaf.parameter);
    if (graph_.times.at(leaf.parameter) == 1)
      add_gradient(leaf.parameter, leaf, found->second);
    else
      waiting_[leaf.parameter].push_back({leaf, found->second});
  }
}

std::map<int, double> Pass::arrived() const {
  std::map<int, double> plain;
  for (const auto& [parameter, total] : arrived_)
    if (!not_plain_.count(parameter)) plain[parameter] = total;
  return plain;
}

void Pass::add_gradient(int parameter, const Leaf& leaf, const Gradient& gradient) {
  auto& to = (*accumulators_)[parameter];
  const bool rows = leaf.chain.empty() && gradient.rows.index.defined() && gradient.rows.index.device().is_cpu();
  if (leaf.moves && gradient.kernel.add)
    to.add(gradient.kernel, leaf);
  else if (leaf.moves && kernel_takes(gradient.product))
    to.add(gradient.product, leaf, samples_);
  else if (rows)
    to.add(gradient.rows);
  else if (leaf.chain.empty())
    return add_together(parameter, {{leaf, gradient}});
  else
    return waiting_[parameter].push_back({leaf, gradient});
  added_.insert(parameter);
}

// Gradients of all uses add before |.|.
void Pass::add_together(int parameter, const std::vector<Waiting>& uses) {
  auto& to = (*accumulators_)[parameter];
  const bool products = std::all_of(uses.begin(), uses.end(), [](const Waiting& w) {
    return kernel_takes(w.gradient.product) && w.leaf.transposes();
  });
  if (products) {  // the uses' rows stacked: their products add up; a transposed use has its sides exchanged
    std::vector<at::Tensor> left, right;
    for (const auto& w : uses) {
      const bool turned = (w.leaf.chain.size() ^ uses[0].leaf.chain.size()) & 1;
      const auto& p = w.gradient.product;
      const auto &l = turned ? p.right : p.left, &r = turned ? p.left : p.right;
      left.push_back(l.reshape({samples_, -1, l.size(1)}));
      right.push_back(r.reshape({samples_, -1, r.size(1)}));
    }
    to.add({at::cat(left, 1).flatten(0, 1), at::cat(right, 1).flatten(0, 1), uses[0].gradient.product.seen},
           uses[0].leaf, samples_);
    added_.insert(parameter);
    return;
  }
  int64_t size = 1;
  for (int64_t n = 0, count; n < samples_; n += count) {
    count = n == 0 ? 1 : std::min(std::max<int64_t>(1, kChunk / std::max<int64_t>(1, size)), samples_ - n);
    at::Tensor total;
    for (const auto& w : uses) {
      at::Tensor g = w.gradient.each(n, count);
      if (!w.leaf.chain.empty()) {
        std::vector<at::Tensor> pulled;
        for (int64_t i = 0; i < count; i++) pulled.push_back(w.leaf.pull(g[i]));
        g = at::stack(pulled);
      }
      size = g.numel() / count;
      total = total.defined() ? total + g : g;
    }
    to.add(total);
    added_.insert(parameter);
  }
}

}  // namespace mas
