#include "mas/training/best.h"

#include <algorithm>
#include <utility>

namespace mas {
namespace {

const std::string kPath = "path/";  // of names in TrainState::best

}  // namespace

NamedTensors Trained::copy() const {
  NamedTensors copy = cloned(parameters_);
  copy.merge(cloned(model_.file.buffers));
  return copy;
}

void Trained::check_copy(const NamedTensors& copy, const std::string& group) const {
  for (const auto* tensors : {&parameters_, &std::as_const(model_.file.buffers)}) {
    for (const auto& [name, value] : *tensors) check_part(copy, group, name, value, model_.name());
  }
}

void Trained::put_back(const NamedTensors& copy) {
  at::NoGradGuard no_grad;
  for (auto* tensors : {&parameters_, &model_.file.buffers}) {
    for (auto& [name, value] : *tensors) value.copy_(copy.at(name));
  }
}

bool out_of_patience(const TrainState& state, int64_t patience, int64_t warm_up) {
  return patience > 0 && state.epoch - std::max(state.best_epoch, warm_up) >= patience;
}

void keep_if_best(TrainState& state, const Trained& trained, double accuracy) {
  if (accuracy <= state.best_accuracy) return;
  state.best_accuracy = accuracy;
  state.best_epoch = state.epoch;
  state.best = trained.copy();
  for (const auto& [name, value] : state.path.integral) state.best[kPath + name] = value.clone();
}

void check_best(const TrainState& state, const Trained& trained) {
  if (state.best.empty() && state.best_epoch == 0) return;
  trained.check_copy(state.best, "best");
  for (const auto& [name, value] : state.path.integral) {
    check_part(state.best, "best", kPath + name, value, trained.name());
  }
}

void take_best(TrainState& state, Trained& trained) {
  if (state.best.empty()) return;
  trained.put_back(state.best);
  for (auto& [name, value] : state.path.integral) value = state.best.at(kPath + name);
}

}  // namespace mas
