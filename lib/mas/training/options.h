#pragma once
#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "mas/data/augmentation.h"
#include "mas/training/distillation.h"
#include "mas/training/layer_rules.h"
#include "mas/training/optimizer.h"
#include "mas/training/penalty.h"

namespace mas {

/// Of epochs, samples and values of a code, on the command line and in checkpoints.
constexpr int64_t kMostOfTraining = 1000000000000;

/// How a task is trained; stands in its record as JSON, so that a checkpoint knows how to go on.
struct TrainOptions {
  int64_t epochs = 4;
  int64_t batch_size = 128;  ///< samples
  Augmentation augment;      ///< of the samples that are learned, never of those held out
  OptimizerOptions optimizer;
  std::string schedule = "constant";
  LayerRules layers;
  int64_t warm_up = 0;  ///< epochs at first in which the head learns alone; the optimiser begins anew behind them
  double lambda = 1;    ///< weight of the penalty; without importance in the model there is none
  PenaltyStep penalty_step = PenaltyStep::kGradient;
  double validation = 0;  ///< share of the training samples that is held out
  int64_t patience = 0;   ///< stop after so many epochs without a better validation accuracy; 0: never
  int64_t joint = 1;      ///< how many tasks are trained at once (joint.h)
  bool track_si = false;  ///< record the path, and make it the task's importance in the end (path_integral.h)
  double xi = 1e-3;       ///< ξ of that
  DistillOptions distill;
  int64_t code = 0;              ///< values of the code by which EBLL can keep this task later; 0: none
  std::string scratch = "/tmp";  ///< folder for what is recorded; stands in no task's record
};
nlohmann::json to_json(const TrainOptions& options);
/// `name` is the file, for messages. Throws Error where they lack something or can't be meant.
TrainOptions parse_train_options(const nlohmann::json& object, const std::string& name);
/// Throws UsageError where an option can't be meant, which may also stand in a checkpoint that somebody edited.
void check_train_options(const TrainOptions& options);

}  // namespace mas
