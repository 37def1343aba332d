#include "mas/training/checkpoint.h"

#include "mas/error.h"

namespace mas {
namespace {

void put(NamedTensors& into, const std::string& prefix, const NamedTensors& from) {
  for (const auto& [name, tensor] : from) into[prefix + name] = tensor;
}

NamedTensors take(const NamedTensors& from, const std::string& prefix) {
  NamedTensors part;
  for (auto it = from.lower_bound(prefix); it != from.end() && it->first.rfind(prefix, 0) == 0; ++it) {
    part[it->first.substr(prefix.size())] = it->second;
  }
  return part;
}

}  // namespace

void store_state(ModelFile& file, const TrainState& state, const Optimizer& optimizer) {
  file.optimizer.clear();
  put(file.optimizer, "state/", optimizer.state());
  put(file.optimizer, "anchor/", state.anchor);
  put(file.optimizer, "best/", state.best);
  file.progress = {{"epoch", state.epoch},
                   {"steps", optimizer.steps()},
                   {"best_accuracy", state.best_accuracy},
                   {"best_epoch", state.best_epoch}};
}

bool has_state(const ModelFile& file) { return !file.progress.is_null(); }

TrainState restore_state(const ModelFile& file, const std::string& name) {
  TrainState state;
  try {
    file.progress.at("epoch").get_to(state.epoch);
    file.progress.at("best_accuracy").get_to(state.best_accuracy);
    file.progress.at("best_epoch").get_to(state.best_epoch);
  } catch (const nlohmann::json::exception&) {
    throw Error(name, "/progress isn't that of a checkpoint");
  }
  // Copies: training writes into the model's tensors, and these stay as they are.
  for (const auto& [tensor, value] : take(file.optimizer, "anchor/")) state.anchor[tensor] = value.clone();
  for (const auto& [tensor, value] : take(file.optimizer, "best/")) state.best[tensor] = value.clone();
  return state;
}

void restore_optimizer(const ModelFile& file, Optimizer& optimizer, const std::string& name) {
  int64_t steps = 0;
  try {
    file.progress.at("steps").get_to(steps);
  } catch (const nlohmann::json::exception&) {
    throw Error(name, "/progress isn't that of a checkpoint");
  }
  optimizer.restore(take(file.optimizer, "state/"), steps, name);
}

void remove_state(ModelFile& file) {
  file.optimizer.clear();
  file.progress = nullptr;
}

}  // namespace mas
