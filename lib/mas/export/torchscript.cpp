#include <fmt/format.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <sstream>

#include "mas/error.h"
#include "mas/export/formats.h"
#include "mas/model/script_module.h"
#include "mas/model/script_network.h"
#include "mas/text.h"

namespace mas {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Module;
using torch::jit::Value;

// `name`: of its class, which is Python's to spell.
Module new_module(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  Module module("__torch__." + name);
  module.register_attribute("training", c10::BoolType::get(), false);
  return module;
}

// The module that holds "layers.0.weight": "layers.0", made where it isn't there.
Module owner_of(Module module, const std::string& path) {
  std::string name = "Layer";
  for (const auto& part : cut(path, '.')) {
    name += "_" + part;
    if (!module.hasattr(part)) module.register_module(part, new_module(name));
    module = module.attr(part).toModule();
  }
  return module;
}

// A tensor of the model's own, for the module that is written.
at::Tensor owned(const at::Tensor& value) { return value.detach().clone().set_requires_grad(true); }

// Tied parameters, which are one tensor, stay one.
void own_parameters(const Module& net) {
  std::map<const c10::TensorImpl*, at::Tensor> copies;
  for (const auto& m : net.named_modules()) {
    Module module = m.value;
    std::vector<std::string> names;
    for (const auto& p : module.named_parameters(/*recurse=*/false)) names.push_back(p.name);
    for (const auto& name : names) {
      const at::Tensor value = module.attr(name).toTensor();
      at::Tensor& copy = copies[value.unsafeGetTensorImpl()];
      if (!copy.defined()) copy = owned(value);
      module.setattr(name, copy);
    }
  }
}

// A file of TorchScript's spells names as Python does, and a module has one thing of a name.
void check_names(const NamedTensors& tensors, const std::string& model) {
  const auto can_name = [](const std::string& part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return c >= ' ' && c <= '~'; });
  };
  for (const auto& entry : tensors) {
    const std::string& full = entry.first;
    const auto parts = cut(full, '.');
    const auto inside = tensors.lower_bound(full + ".");
    const bool clash = inside != tensors.end() && inside->first.rfind(full + ".", 0) == 0;
    if (!clash && std::all_of(parts.begin(), parts.end(), can_name)) continue;
    throw Error(model, fmt::format("{}: TorchScript can't have a tensor of this name{}; give the layer another name",
                                   printable(full), clash ? " beside " + printable(inside->first) : ""));
  }
}

void add_tensor(const Module& module, const std::string& full, const at::Tensor& value, bool is_buffer) {
  const size_t dot = full.rfind('.');
  const std::string local = full.substr(dot + 1);
  Module owner = dot == std::string::npos ? module : owner_of(module, full.substr(0, dot));
  is_buffer ? owner.register_buffer(local, value) : owner.register_parameter(local, value, false);
}

void add_method(const Module& module, const std::string& name, const std::shared_ptr<Graph>& graph) {
  auto* function =
      module._ivalue()->compilation_unit()->create_function(c10::QualifiedName(*module.type()->name(), name), graph);
  module.type()->addMethod(function);
}

// What a trace fixed to eval mode follows the module's mode.
void follow_mode(Block* block, Value* training) {
  for (auto* node : block->nodes()) {
    for (Block* inner : node->blocks()) follow_mode(inner, training);
    const auto* schema = node->maybeSchema();
    for (size_t i = 0; schema && i < node->inputs().size() && i < schema->arguments().size(); i++) {
      const auto& name = schema->arguments()[i].name();
      if (name == "train" || name == "training") node->replaceInput(i, training);
    }
  }
}

// A few samples that the network takes. Floats below 1 are the token id 0, also where a module takes integers alone.
at::Tensor samples(const Model& model, int64_t count) {
  const at::Tensor x = made_up_samples(model.network().input(), count);
  for (const at::Tensor& taken : {x, x.to(at::kLong)}) {
    try {
      model.features(taken);
      return taken;
    } catch (const Error&) {
    }
  }
  return x;
}

at::Tensor outputs(const Model& model, const TaskRecord* task, const at::Tensor& x) {
  return task ? model.forward(x, *task) : model.features(x);
}

// A network of layers, by the operations that it runs: layers need to know nothing of TorchScript.
Module trace(const Model& model, const TaskRecord* task) {
  const Module net = new_module("Net");
  NamedTensors all = model.shared_parameters();
  all.insert(model.file.buffers.begin(), model.file.buffers.end());
  check_names(all, model.name());
  for (const auto& [name, value] : model.shared_parameters()) add_tensor(net, name, value, false);
  for (const auto& [name, value] : model.file.buffers) add_tensor(net, name, value, true);
  if (task && task->scenario == Scenario::kTask) {
    for (const auto& [local, value] : model.head_parameters(*task)) add_tensor(net, "head." + local, value, false);
  }
  const auto run = [&](torch::jit::Stack inputs) {
    return torch::jit::Stack{outputs(model, task, inputs.at(0).toTensor())};
  };
  Module self = net;
  const auto state =
      torch::jit::tracer::trace({samples(model, 2)}, run, [](const auto&) { return ""; }, true, false, &self, {"x"});
  const auto& graph = state.first->graph;
  {
    const torch::jit::WithInsertPoint start(*graph->nodes().begin());
    follow_mode(graph->block(), graph->insertGetAttr(graph->inputs()[0], "training"));
  }
  torch::jit::EliminateDeadCode(graph);
  add_method(net, "forward", graph);
  own_parameters(net);
  return net;
}

// A module that came from PyTorch under "network", with the head of a task on its output or on that of its layer, of
// which `subscript` takes a part.
Module with_head(const ScriptNetwork& network, const Module& inner, const std::string& subscript,
                 const NamedTensors& head) {
  Module net = new_module("WithHead");
  net.register_module("network", inner);
  for (const auto& [local, value] : head) add_tensor(net, "head." + local, owned(value), false);
  std::string features = "self.network.forward(x)";
  if (const auto& layer = network.output().features; !layer.empty()) {
    const auto function = forward_to_layer(inner, layer, network.name());
    const auto graph = function->graph();
    Value* self = graph->insertInput(0, "self")->setType(net.type());
    const torch::jit::WithInsertPoint start(*graph->nodes().begin());
    graph->inputs()[1]->replaceAllUsesWith(graph->insertGetAttr(self, "network"));
    graph->eraseInput(1);
    add_method(net, "features", graph);
    features = "self.features(x)";
  }
  // Also for what may be a tensor or none, for features that are one value a sample, without a dimension of their own,
  // and for those of another precision.
  try {
    net.define("def forward(self, x):\n  y = " + features + subscript +
               "\n  assert isinstance(y, torch.Tensor)\n  y = torch.flatten(torch.unsqueeze(y, -1), "
               "1).to(self.head.weight.dtype)\n" +
               "  return torch.linear(y, self.head.weight, self.head.bias)\n");
  } catch (const torch::jit::ErrorReport&) {
    throw Error(network.name(),
                "can't be written with a head, as its forward doesn't say of what type it returns a value; "
                "annotate it in Python");
  }
  return net;
}

// Null: a network of layers.
const ScriptNetwork* script_of(const Model& model) { return dynamic_cast<const ScriptNetwork*>(&model.network()); }

// `output`: which of its outputs are the model's.
Module build(const Model& model, const TaskRecord* task, ScriptOutput& output) {
  const auto* network = script_of(model);
  if (!network) return trace(model, task);
  const Module inner = network->module().deepcopy();
  for (const auto& p : inner.named_parameters()) p.value.set_requires_grad(!network->frozen().count(p.name));
  const auto head = task ? model.head_parameters(*task) : NamedTensors{};
  if (head.empty()) output = network->output();
  return head.empty() ? inner : with_head(*network, inner, network->choice(samples(model, 2)).subscript, head);
}

void check_same(Module& net, const ScriptOutput& output, const Model& model, const TaskRecord* task) {
  const torch::jit::GraphOptimizerEnabledGuard plain(false);
  auto x = samples(model, 3);
  const at::Tensor want = outputs(model, task, x);
  if (const auto* network = script_of(model)) x = network->laid_out(x);  // else it rounds in another way
  const at::Tensor got = choose(net.get_method("forward")({x}), output, model.name()).tensor.reshape(want.sizes());
  if ((got - want).abs().max().item<double>() <= 1e-6 * (1 + want.abs().max().item<double>())) return;
  throw Error(model.name(), "this network can't be written as TorchScript: there it computes something else");
}

}  // namespace

std::string export_torchscript(const ExportContent& content) {
  const Model& model = content.model;
  const at::NoGradGuard no_grad;
  const TaskRecord* task = nullptr;
  if (!content.task.empty()) task = &model.task(content.task);
  if (!task && !model.tasks().empty()) task = &model.tasks().back();
  return in_one_line(model.name() + ": can't be written as TorchScript", [&] {
    ScriptOutput output;
    std::ostringstream out;
    build(model, task, output).save(out);
    std::istringstream written(out.str());
    Module net = torch::jit::load(written, c10::kCPU);
    check_same(net, output, model, task);
    return out.str();
  });
}

}  // namespace mas
