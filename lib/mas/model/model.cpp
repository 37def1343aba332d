#include "mas/model/model.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "mas/error.h"
#include "mas/io/model_check.h"
#include "mas/random.h"
#include "mas/text.h"

namespace mas {
namespace {

using nlohmann::json;

const std::map<std::string, Scenario>& scenarios() {
  static const std::map<std::string, Scenario> names{{"task", Scenario::kTask},
                                                     {"domain", Scenario::kDomain},
                                                     {"class", Scenario::kClass},
                                                     {"facts", Scenario::kFacts}};
  return names;
}

// Outputs for new classes go below the old ones, which stay as they are; their Ω is 0.
at::Tensor append_rows(const at::Tensor& old, const at::Tensor& rows) { return at::cat({old.detach(), rows}); }

std::string arch_name(const json& arch) { return arch.value("name", "model"); }

std::unique_ptr<Network> initialized(std::unique_ptr<Network> network, uint64_t seed) {
  network->initialize(seed);
  return network;
}

}  // namespace

NamedTensors new_linear(int64_t outputs, int64_t features, uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  const double bound = 1 / std::sqrt(static_cast<double>(features));
  NamedTensors layer;
  layer["weight"] = at::empty({outputs, features}, at::kFloat).uniform_(-bound, bound, generator);
  layer["bias"] = at::empty({outputs}, at::kFloat).uniform_(-bound, bound, generator);
  return layer;
}

Scenario parse_scenario(const std::string& text) {
  const auto it = scenarios().find(text);
  if (it == scenarios().end())
    throw UsageError("--scenario", fmt::format("must be task, domain, class or facts, got {}", text));
  return it->second;
}

std::string to_string(Scenario scenario) {
  for (const auto& [text, value] : scenarios()) {
    if (value == scenario) return text;
  }
  return "";
}

json to_json(const TaskRecord& task) {
  json object{{"name", task.name},       {"data", task.data},
              {"classes", task.classes}, {"scenario", to_string(task.scenario)},
              {"options", task.options}, {"seed", task.seed}};
  if (!task.identity.empty()) object["identity"] = task.identity;
  if (!task.words.empty()) object["words"] = task.words;
  return object;
}

std::vector<TaskRecord> parse_tasks(const json& tasks, const std::string& name) {
  std::vector<TaskRecord> records;
  std::set<std::string> names;
  try {
    for (const auto& object : tasks) {
      TaskRecord task;
      object.at("name").get_to(task.name);
      object.at("data").get_to(task.data);
      task.identity = object.value("identity", "");
      task.words = object.value("words", task.words);
      object.at("classes").get_to(task.classes);
      task.scenario = parse_scenario(object.at("scenario").get<std::string>());
      task.options = object.value("options", json::object());
      object.at("seed").get_to(task.seed);
      if (task.name.empty() || task.classes.empty()) throw Error(name, "/tasks has a task without name or classes");
      if (!names.insert(task.name).second) {
        throw Error(name, fmt::format("/tasks has two tasks named {}", task.name));
      }
      records.push_back(std::move(task));
    }
  } catch (const json::exception&) {
    throw Error(name, "/tasks isn't a list of task records");
  } catch (const UsageError&) {
    throw Error(name, "/tasks names an unknown scenario");
  }
  return records;
}

Model::Model(const json& arch, uint64_t seed, const std::string& script)
    : Model(initialized(make_network(arch, script, arch_name(arch)), seed), arch, script) {}

Model::Model(std::unique_ptr<Network> network, const json& arch, const std::string& script)
    : name_(arch_name(arch)), network_(std::move(network)) {
  file.arch = arch;
  file.script = script;
  file.weights = network_->parameters();
  file.buffers = network_->buffers();
}

Model::Model(ModelFile source, const std::string& name)
    : file(std::move(source)), name_(name), network_(make_network(file.arch, file.script, name)) {
  NamedTensors trunk = file.weights;
  if (!network_->has_own_head()) {
    trunk.erase("head.weight");
    trunk.erase("head.bias");
  }
  network_->load(trunk, file.buffers);
  for (const auto& [full, value] : network_->parameters()) file.weights[full] = value;  // tied ones have become one
  tasks_ = parse_tasks(file.tasks, name);
  for (const auto& task : tasks_) know_classes(task);
  check_heads();
  check_encoders();
}

Model Model::snapshot() const {
  ModelFile copy;
  copy.arch = file.arch;
  copy.script = file.script;
  copy.tasks = file.tasks;
  copy.weights = cloned(file.weights);
  copy.buffers = cloned(file.buffers);
  for (const auto& [task, head] : file.heads) copy.heads[task] = cloned(head);
  for (const auto& [task, encoder] : file.encoders) copy.encoders[task] = cloned(encoder);
  return {std::move(copy), name_};
}

void Model::train(bool on) {
  network_->train(on);
  file.buffers = network_->buffers();
}

// A network's own outputs are as many as they are.
void Model::check_own_head(const TaskRecord& task) const {
  if (task.scenario == Scenario::kFacts && !network_->has_own_head()) {
    throw Error(name_,
                "ends in features, and facts need a network whose outputs are their vectors; train a new one with "
                "--arch, or learn their numbers with --scenario task");
  }
  const int64_t outputs = network_->feature_size();
  if (file.arch.contains("features")) {
    throw UsageError("--features", fmt::format("is for scenario task, with its heads; in scenario {} the module's own "
                                               "output is the head",
                                               to_string(task.scenario)));
  }
  const auto classes = static_cast<int64_t>(task.classes.size());
  if (task.scenario == Scenario::kDomain && classes != outputs) {
    throw Error(name_, fmt::format("gives {} outputs, but task {} has {} classes; scenario task has heads that fit",
                                   outputs, task.name, classes));
  }
  for (const int64_t label : task.classes) {
    if (task.scenario != Scenario::kClass || (label >= 0 && label < outputs)) continue;
    throw Error(name_, fmt::format("has the outputs 0 to {}, but task {} has the label {}; scenario task has heads "
                                   "that fit",
                                   outputs - 1, task.name, label));
  }
}

void Model::check_heads() const {
  const auto trunk = network_->parameters();
  const auto wanted = trunk.empty() ? at::kFloat : trunk.begin()->second.scalar_type();
  const bool shared = !tasks_.empty() && tasks_.front().scenario != Scenario::kTask;
  for (const char* full : {"head.weight", "head.bias"}) {
    if (!shared && !network_->has_own_head() && file.weights.count(full)) {
      throw Error(name_, fmt::format("{}: only a model with tasks of scenario domain or class has it", full));
    }
  }
  for (const auto& task : tasks_) {
    if (task.scenario != tasks_.front().scenario) throw Error(name_, "its tasks are of different scenarios");
    if (own_head(task.scenario) || task.scenario == Scenario::kFacts) {
      check_own_head(task);
      continue;
    }
    const auto head = head_parameters(task);
    for (const char* local : {"weight", "bias"}) {
      const auto it = head.find(local);
      if (it == head.end()) throw Error(name_, fmt::format("the head of task {} has no {}", task.name, local));
      Shape want{outputs(task)};
      if (local == std::string("weight")) want.push_back(network_->feature_size());
      if (it->second.sizes() != at::IntArrayRef(want)) {
        throw Error(name_, fmt::format("the head's {} of task {}: shape {}, but the architecture needs {}", local,
                                       task.name, shape_text(it->second.sizes()), shape_text(want)));
      }
      const auto type = it->second.scalar_type();
      if (type != wanted) {
        throw Error(name_, fmt::format("the head's {} of task {}: {}, but the other weights are {}", local, task.name,
                                       type_text(type), type_text(wanted)));
      }
    }
  }
}

void Model::check_encoders() const {
  for (const auto& [task, encoder] : file.encoders) {
    this->task(task);
    const auto weight = encoder.find("weight"), bias = encoder.find("bias");
    const auto fits = [&](const auto& it, const Shape& shape) {
      return it != encoder.end() && it->second.scalar_type() == at::kFloat &&
             it->second.sizes() == at::IntArrayRef(shape);
    };
    const int64_t code = bias == encoder.end() ? 0 : bias->second.numel();
    if (fits(weight, {code, network_->feature_size()}) && fits(bias, {code}) && encoder.size() == 2) continue;
    throw Error(name_, fmt::format("the encoder of task {} isn't a float32 weight of N x {} and a bias of N", task,
                                   network_->feature_size()));
  }
}

// The classes so far; where the network brings its outputs, output i is label i.
void Model::know_classes(const TaskRecord& task) {
  for (int64_t label : task.classes) {
    class_outputs_.emplace(label, own_head(task.scenario) ? label : static_cast<int64_t>(class_outputs_.size()));
  }
}

int64_t Model::outputs(const TaskRecord& task) const {
  if (own_head(task.scenario)) return network_->feature_size();
  return static_cast<int64_t>(task.scenario == Scenario::kClass ? class_outputs_.size() : task.classes.size());
}

bool Model::answers(const TaskRecord& task) const {
  const auto head = head_parameters(task);
  const auto classes = static_cast<int64_t>(task.classes.size());
  if (task.scenario == Scenario::kFacts) return true;
  const bool enough = own_head(task.scenario) ? network_->feature_size() >= classes
                                              : !head.empty() && head.at("bias").size(0) >= outputs(task);
  return enough && (task.scenario != Scenario::kClass ||
                    std::all_of(task.classes.begin(), task.classes.end(),
                                [&](int64_t label) { return class_outputs_.count(label) > 0; }));
}

void Model::add_task(const TaskRecord& task) {
  for (const auto& known : tasks_) {
    if (known.name == task.name) {
      throw Error(name_,
                  fmt::format("has learned a task named {} already; choose another name with --task", task.name));
    }
    if (known.scenario != task.scenario) {
      throw Error(name_, fmt::format("its tasks are of scenario {}, not {}", to_string(known.scenario),
                                     to_string(task.scenario)));
    }
    if (task.scenario == Scenario::kDomain && known.classes.size() != task.classes.size()) {
      throw Error(name_,
                  fmt::format("scenario domain needs the same outputs for each task: {} has {} classes, {} has {}",
                              known.name, known.classes.size(), task.name, task.classes.size()));
    }
  }
  if (!may_be_name(task.name) || task.name == "..") {
    throw UsageError("--task",
                     fmt::format("\"{}\" can't name a task (empty, with a slash, or no UTF-8 text)", task.name));
  }
  const int64_t before = file.weights.count("head.weight") ? file.weights.at("head.weight").size(0) : 0;
  if (own_head(task.scenario) || task.scenario == Scenario::kFacts) {
    check_own_head(task);
    if (trainable_parameters().empty()) {
      throw Error(name_,
                  fmt::format("all its parameters are frozen (requires_grad=False), so scenario {} has nothing to "
                              "train; in scenario task there is a new head",
                              to_string(task.scenario)));
    }
  }
  tasks_.push_back(task);
  know_classes(task);
  file.tasks.push_back(to_json(task));
  if (own_head(task.scenario)) return;
  const int64_t rows = outputs(task) - (task.scenario == Scenario::kTask ? 0 : before);
  if (rows > 0) {
    const auto head = new_linear(rows, network_->feature_size(), derive_seed(task.seed, "head/" + task.name));
    const auto dtype = file.weights.empty() ? at::kFloat : file.weights.begin()->second.scalar_type();
    for (const auto& [local, value] : head) {
      if (task.scenario == Scenario::kTask) {
        file.heads[task.name][local] = value.to(dtype);
        continue;
      }
      auto& weight = file.weights["head." + local];
      weight = before ? append_rows(weight, value.to(dtype)) : value.to(dtype);
      for (auto* omega : {&file.importance.closed, &file.importance.anchor, &file.importance.sum}) {
        const auto it = omega->find("head." + local);
        if (it == omega->end()) continue;
        it->second = append_rows(it->second, at::zeros(value.sizes(), it->second.options()));
      }
    }
  }
}

const TaskRecord& Model::task(const std::string& name) const {
  for (const auto& task : tasks_) {
    if (task.name == name) return task;
  }
  throw Error(name_, fmt::format("has no task named {}", name));
}

NamedTensors Model::head_parameters(const TaskRecord& task) const {
  NamedTensors head;
  if (task.scenario == Scenario::kTask) {
    const auto it = file.heads.find(task.name);
    return it == file.heads.end() ? head : it->second;
  }
  if (own_head(task.scenario)) return head;  // though the module may have a layer that is called head
  for (const char* local : {"weight", "bias"}) {
    const auto it = file.weights.find(std::string("head.") + local);
    if (it != file.weights.end()) head[local] = it->second;
  }
  return head;
}

NamedTensors Model::shared_parameters() const { return file.weights; }

NamedTensors Model::trainable_parameters() const {
  NamedTensors trainable = file.weights;
  for (const auto& name : network_->frozen()) trainable.erase(name);
  return trainable;
}

at::Tensor Model::forward(const at::Tensor& x, const TaskRecord& task) const { return apply_head(features(x), task); }

at::Tensor Model::apply_head(const at::Tensor& features, const TaskRecord& task) const {
  if (own_head(task.scenario)) return features;
  const auto head = head_parameters(task);
  return at::linear(features, head.at("weight"), head.at("bias"));
}

at::Tensor Model::forward(const at::Tensor& x, const std::vector<TaskRecord>& tasks) const {
  const auto common = features(x);
  std::vector<at::Tensor> all;
  for (const auto& task : tasks) all.push_back(apply_head(common, task));
  return at::cat(all, 1);
}

at::Tensor Model::targets(const at::Tensor& labels, const TaskRecord& task, const std::string& data) const {
  if (task.scenario == Scenario::kFacts) return labels;
  std::unordered_map<int64_t, int64_t> own;
  if (task.scenario != Scenario::kClass) {
    for (size_t i = 0; i < task.classes.size(); i++) own.emplace(task.classes[i], static_cast<int64_t>(i));
  }
  const auto& outputs = task.scenario == Scenario::kClass ? class_outputs_ : own;
  at::Tensor targets = at::empty_like(labels);
  const auto* from = labels.data_ptr<int64_t>();
  auto* to = targets.data_ptr<int64_t>();
  for (int64_t i = 0; i < labels.numel(); i++) {
    const auto it = outputs.find(from[i]);
    if (it == outputs.end()) {
      throw Error(data.empty() ? task.data : data,
                  fmt::format("label {} isn't among the classes of task {}", from[i], task.name));
    }
    to[i] = it->second;
  }
  return targets;
}

}  // namespace mas
