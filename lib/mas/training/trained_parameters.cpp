#include "mas/training/trained_parameters.h"

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/training/joint.h"

namespace mas {
namespace {

constexpr const char* kHead = "head.";  // how the names of the one that tasks share begin

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
  for (const auto& [name, value] : trained.all)
    if (name.rfind(kHead, 0) == 0) trained.heads[name] = value;
  add_heads(model, last_tasks(model, options.joint), trained.heads);

  // Rules call the head of a task that is learned "head", whichever the scenario.
  std::map<std::string, std::string> called;
  for (const auto& [name, value] : trained.all) called[name] = name;
  for (const auto& [name, value] : trained.heads) called[name] = kHead + name.substr(name.find_last_of("./") + 1);
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
