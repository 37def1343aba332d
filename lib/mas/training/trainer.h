#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "mas/data/dataset.h"
#include "mas/model/model.h"
#include "mas/training/distillation.h"
#include "mas/training/encoder.h"
#include "mas/training/optimizer.h"
#include "mas/training/penalty.h"
#include "mas/training/schedule.h"

namespace mas {

/// How a task is trained; stands in its record as JSON, so that a checkpoint knows how to go on.
struct TrainOptions {
  int64_t epochs = 4;
  int64_t batch_size = 128;  ///< samples
  OptimizerOptions optimizer;
  std::string schedule = "constant";
  double lambda = 1;  ///< weight of the penalty; without importance in the model there is none
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
/// `name` is the file, for messages.
TrainOptions parse_train_options(const nlohmann::json& object, const std::string& name);

struct EpochReport {
  int64_t epoch = 0, epochs = 0;     ///< from 1
  double loss = 0;                   ///< mean cross entropy over the epoch's samples, without penalty and distillation
  double penalty = 0;                ///< penalty_value() after the epoch
  double distill = 0;                ///< mean of the distillation's term over the epoch's samples
  double accuracy = 0;               ///< on the epoch's batches, as they were trained
  std::optional<double> validation;  ///< accuracy after the epoch
  double seconds = 0;
};

struct TrainCallbacks {
  std::function<void(const EpochReport&)> epoch;
  std::function<void(const EncoderReport&)> encoder;
  std::function<void(int64_t done, int64_t total)> progress;  ///< samples of all epochs
};

/// Trains the task `model.tasks().back()`, which must have been added, on `data`; or the last options.joint tasks, on
/// what join() made of their data. The anchor θ* is the model's weights
/// as they come, or those of each task before (fold_anchors(), which is called first); distillation holds to
/// the outputs as they come and trains the earlier tasks' heads, too. In the end an encoder is trained where a code is
/// asked for. Both are for one task at a time. Writes `checkpoint` after each
/// epoch unless it is empty. A model that came from a checkpoint goes on where it stopped, bit for bit. Throws Error
/// where training would diverge (before the first step) or loss or weights stop being finite. Draws dropout masks from
/// LibTorch's default generator, which it seeds.
void train(Model& model, Dataset& data, const TrainOptions& options, const std::string& checkpoint = "",
           const TrainCallbacks& callbacks = {});

}  // namespace mas
