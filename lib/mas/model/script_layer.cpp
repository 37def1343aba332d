#include <fmt/format.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "mas/error.h"
#include "mas/model/script_module.h"
#include "mas/text.h"

namespace mas {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// The name of the submodule that a value is, "" for the module itself.
std::optional<std::string> module_path(const Value* value, const Value* self) {
  if (value == self) return "";
  const Node* node = value->node();
  if (node->kind() != c10::prim::GetAttr) return {};
  const auto parent = module_path(node->input(), self);
  if (!parent) return {};
  return (parent->empty() ? "" : *parent + ".") + node->s(c10::attr::name);
}

void collect_calls(Block* block, std::vector<Node*>& calls) {
  for (Node* node : block->nodes()) {
    if (node->kind() == c10::prim::CallMethod) calls.push_back(node);
    for (Block* inner : node->blocks()) collect_calls(inner, calls);
  }
}

// Puts the body of a call in its place. False where that is unknown until it runs.
bool inline_call(Node* call) {
  const auto type = call->input(0)->type()->cast<c10::ClassType>();
  auto* function = type ? type->findMethod(call->s(c10::attr::name)) : nullptr;
  if (!function || !function->isGraphFunction()) return false;
  function->ensure_defined();
  auto& callee = torch::jit::toGraphFunction(*function);
  torch::jit::inlineCallTo(call, &callee,
                           callee.graph().get());  // unless named, the graph is one with all calls inlined
  return true;
}

// The calls of the layer in `graph`, after the calls of what contains it were inlined.
std::vector<Node*> calls_of(Graph& graph, const std::string& layer) {
  for (;;) {
    std::vector<Node*> calls, wanted;
    collect_calls(graph.block(), calls);
    bool changed = false;
    for (Node* call : calls) {
      const auto path = module_path(call->input(0), graph.inputs()[0]);
      if (!path) continue;
      if (*path == layer) {
        wanted.push_back(call);
      } else if (path->empty() || layer.rfind(*path + ".", 0) == 0) {
        changed = inline_call(call) || changed;
      }
    }
    if (!changed) return wanted;
  }
}

[[noreturn]] void refuse_layer(const torch::jit::Module& module, const std::string& layer, const std::string& name) {
  std::vector<std::string> layers;
  for (const auto& m : module.named_modules()) {
    if (!m.name.empty()) layers.push_back(m.name);
  }
  if (std::find(layers.begin(), layers.end(), layer) != layers.end()) {
    throw Error("--features", fmt::format("{} has the layer {}, but its forward doesn't call it", name, layer));
  }
  const std::string meant = nearest(layer, layers);
  if (layers.empty()) throw Error("--features", fmt::format("{} has no layers, so there is no {}", name, layer));
  throw Error("--features",
              fmt::format("{} has no layer {}; did you mean {}? (it has {})", name, layer, meant, listing(layers, 12)));
}

}  // namespace

std::unique_ptr<torch::jit::GraphFunction> forward_to_layer(const torch::jit::Module& module, const std::string& layer,
                                                            const std::string& name) {
  const auto forward = module.get_method("forward");
  const auto graph = forward.graph()->copy();
  const auto calls = calls_of(*graph, layer);
  if (calls.empty()) refuse_layer(module, layer, name);
  const auto found = std::find_if(calls.rbegin(), calls.rend(),
                                  [&](const Node* call) { return call->owningBlock() == graph->block(); });
  if (found == calls.rend()) {
    throw Error("--features", fmt::format("{} calls {} within an if or a loop; name a layer around it", name, layer));
  }
  Node* call = *found;
  while (graph->outputs().size() > 0) graph->eraseOutput(0);
  graph->registerOutput(call->output());
  while (*graph->nodes().rbegin() != call) graph->nodes().rbegin()->destroy();
  torch::jit::EliminateDeadCode(graph);
  auto function = std::make_unique<torch::jit::GraphFunction>("features", graph, nullptr);
  function->setSchema(forward.function().getSchema().cloneWithReturns({c10::Argument("", call->output()->type())}));
  return function;
}

}  // namespace mas
