#include "mas/training/trained_parameters.h"

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/training/joint.h"

namespace mas {
namespace {

void add_heads(const Model& model, const std::vector<TaskRecord>& tasks, NamedTensors& parameters) {
  for (const auto& task : tasks) {
    if (task.scenario != Scenario::kTask) continue;
    for (const auto& [local, value] : model.head_parameters(task))
      parameters[fmt::format("heads/{}/{}", task.name, local)] = value;
  }
}

}  // namespace

TrainedParameters trained_parameters(const Model& model, const TrainOptions& options) {
  TrainedParameters trained;
  trained.all = model.trainable_parameters();
  const bool shared_head = model.tasks().back().scenario != Scenario::kTask && !model.network().has_own_head();
  for (const auto& name : {"head.weight", "head.bias"})
    if (const auto it = trained.all.find(name); shared_head && it != trained.all.end()) trained.heads.insert(*it);

  // Rules call the head that a task has of its own "head", as the one that tasks share is called.
  std::map<std::string, std::string> called;
  for (const auto& [name, value] : trained.all) called[name] = name;
  NamedTensors own;
  add_heads(model, last_tasks(model, options.joint), own);
  for (const auto& [name, value] : own) called[name] = "head." + name.substr(name.rfind('/') + 1);
  trained.heads.insert(own.begin(), own.end());
  trained.all.insert(trained.heads.begin(), trained.heads.end());
  if (options.distill.active()) add_heads(model, model.tasks(), trained.all);

  if (!options.layers.empty()) {
    std::vector<std::string> names;
    for (const auto& [name, as] : called) names.push_back(as);
    options.layers.check(names, model.name());
  }
  for (const auto& [name, as] : called) {
    if (options.layers.is_frozen(as)) {
      trained.all.erase(name);
      trained.heads.erase(name);
    } else if (const double factor = options.layers.lr_factor(as); factor != 1) {
      trained.lr_factors[name] = factor;
    }
  }
  if (options.warm_up > 0 && trained.heads.empty())
    throw Error(model.name(), "has no head that --warm-up could train alone");
  return trained;
}

}  // namespace mas
