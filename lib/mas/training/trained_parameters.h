#pragma once
#include <map>
#include <string>

#include "mas/model/model.h"
#include "mas/training/options.h"

namespace mas {

/// What a training changes. Heads that tasks have of their own are called heads/TASK/weight and heads/TASK/bias.
struct TrainedParameters {
  NamedTensors all;
  NamedTensors heads;  ///< of them, those of the tasks that are learned, or the one that all share
  std::map<std::string, double> lr_factors;  ///< where it isn't 1
};

/// The shared parameters and the heads of the tasks that are learned (with distillation, of all tasks), without what
/// the options freeze. Throws Error where the options name a layer that isn't there, or a warm-up has no head to train.
TrainedParameters trained_parameters(const Model& model, const TrainOptions& options);

}  // namespace mas
