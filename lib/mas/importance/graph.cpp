#include "mas/importance/graph.h"

#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <algorithm>
#include <set>

namespace mas {
namespace {

using torch::autograd::Node;

bool among(const Node& node, const std::set<std::string>& names) { return names.count(node.name()) > 0; }

// Each element goes to one place, and to no other's.
bool moves(const Node& node) {
  static const std::set<std::string> names{
      "TBackward0",       "NumpyTBackward0",      "TransposeBackward0",      "TransposeBackward1",
      "PermuteBackward0", "ViewBackward0",        "UnsafeViewBackward0",     "ReshapeBackward0",
      "CloneBackward0",   "UnsqueezeBackward0",   "SqueezeBackward0",        "SqueezeBackward1",
      "AliasBackward0",   "MovedimBackward0",     "ReshapeAliasBackward0",   "ReshapeCopyBackward0",
      "FlattenBackward0", "SliceBackward0",       "SelectBackward0",         "SplitBackward0",
      "UnbindBackward0",  "UnsafeSplitBackward0", "SplitWithSizesBackward0", "UnsafeSplitWithSizesBackward0"};
  return among(node, names);
}

// A parameter that is only reached through an exp() or the like: log-scales, positive weights.
bool maps_elements(const Node& node) {
  static const std::set<std::string> names{"ExpBackward0",  "SoftplusBackward0", "SigmoidBackward0",
                                           "TanhBackward0", "SqrtBackward0",     "RsqrtBackward0",
                                           "NegBackward0",  "ReluBackward0",     "ReciprocalBackward0"};
  return among(node, names);
}

Leaf resolve(const torch::autograd::Edge& edge, const ParameterIndex& index) {
  Leaf leaf;
  uint32_t output = edge.input_nr;
  for (auto node = edge.function; node;) {
    if (auto* end = dynamic_cast<torch::autograd::AccumulateGrad*>(node.get())) {
      const auto found = index.find(end->variable.unsafeGetTensorImpl());
      if (found == index.end()) break;
      leaf.parameter = found->second;
      leaf.shape = end->variable.sizes().vec();
      break;
    }
    if (node->num_outputs() != 1 || !(moves(*node) || maps_elements(*node))) break;
    leaf.chain.push_back({node, output});
    leaf.moves = leaf.moves && moves(*node);
    output = node->next_edge(0).input_nr;
    node = node->next_edge(0).function;
  }
  return leaf;
}

// Uses of parts that lie apart, such as the q, k and v of one matrix, are as good as one.
void count_apart(Graph& graph) {
  std::map<int, std::vector<const Leaf*>> leaves;
  for (const auto& use : graph.uses)
    for (const auto& slot : use.slots)
      if (graph.times[slot.second.parameter] > 1) leaves[slot.second.parameter].push_back(&slot.second);
  for (const auto& [parameter, seen] : leaves)
    if (lie_apart(seen)) graph.times[parameter] = 1;
}

}  // namespace

Graph walk(const at::Tensor& y, const ParameterIndex& index, const std::function<bool(int)>& active,
           const std::function<bool(Node&)>& usable) {
  Graph graph;
  if (!y.grad_fn()) return graph;
  std::unordered_map<Node*, size_t> use_of;
  std::unordered_map<Node*, bool> below;  // does a use lie behind this node? also: was it visited?
  std::vector<Node*> finished;            // every node after those behind it
  std::vector<std::pair<std::shared_ptr<Node>, uint32_t>> stack{{y.grad_fn(), 0}};
  below[y.grad_fn().get()] = false;
  while (!stack.empty()) {
    const auto node = stack.back().first;
    if (stack.back().second == node->num_outputs()) {
      finished.push_back(node.get());
      graph.nodes = graph.nodes * 0x100000001b3ULL ^ std::hash<std::string>()(node->name() + turned_dimensions(*node));
      stack.pop_back();
      continue;
    }
    const int slot = int(stack.back().second++);
    const auto& edge = node->next_edge(slot);
    if (!edge.function) continue;
    Leaf leaf = resolve(edge, index);
    if (leaf.parameter < 0) {
      graph.consumers[edge.function.get()].push_back(node.get());
      if (below.emplace(edge.function.get(), false).second) stack.push_back({edge.function, 0});
    } else if (active(leaf.parameter)) {
      graph.signatures[leaf.parameter] += node->name() + "/" + std::to_string(slot) + leaf.signature() + ";";
      graph.times[leaf.parameter]++;
      if (!usable(*node)) graph.unknown[leaf.parameter] = node->name();
      if (use_of.emplace(node.get(), graph.uses.size()).second) graph.uses.push_back({node, {}, true});
      graph.uses[use_of[node.get()]].slots[slot] = std::move(leaf);
    }
  }

  // A parameter has all its uses or none.
  std::vector<Use> kept;
  use_of.clear();
  for (auto& use : graph.uses) {
    for (auto slot = use.slots.begin(); slot != use.slots.end();)
      slot = graph.unknown.count(slot->second.parameter) ? use.slots.erase(slot) : std::next(slot);
    if (use.slots.empty()) continue;
    use_of[use.node.get()] = kept.size();
    kept.push_back(std::move(use));
  }
  graph.uses = std::move(kept);
  count_apart(graph);
  for (Node* node : finished) {
    bool any = false;
    for (const auto& edge : node->next_edges()) {
      const auto found = below.find(edge.function.get());
      any = any || (edge.function && (use_of.count(edge.function.get()) || (found != below.end() && found->second)));
    }
    below[node] = any;
    const auto use = use_of.find(node);
    if (use != use_of.end()) graph.uses[use->second].terminal = !any;
  }
  return graph;
}

std::vector<int64_t> output_shape(const Node& node, int output) {
  return node.input_metadata(output).zeros_like().sizes().vec();
}

Extent extent(const at::Tensor& y) {
  Extent found{y.numel(), 0};
  std::vector<Node*> stack{y.grad_fn().get()};
  std::set<Node*> seen{nullptr};
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second || dynamic_cast<torch::autograd::AccumulateGrad*>(node)) continue;
    if (!moves(*node) && node->num_inputs()) {
      const int64_t elements = c10::multiply_integers(output_shape(*node, 0));
      found.widest = std::max(found.widest, elements);
      found.total += elements;
    }
    for (const auto& edge : node->next_edges()) stack.push_back(edge.function.get());
  }
  found.total = std::max(found.total, found.widest);
  return found;
}

}  // namespace mas
