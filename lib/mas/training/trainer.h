#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "mas/data/dataset.h"
#include "mas/model/model.h"
#include "mas/training/encoder.h"
#include "mas/training/options.h"

namespace mas {

struct EpochReport {
  int64_t epoch = 0, epochs = 0;  ///< from 1
  double loss = 0;      ///< mean of Objective::loss() over the epoch's samples, without penalty and distillation
  double penalty = 0;   ///< penalty_value() after the epoch
  double distill = 0;   ///< mean of the distillation's term over the epoch's samples
  double accuracy = 0;  ///< on the epoch's batches, as they were trained
  std::optional<double> validation;  ///< accuracy after the epoch
  double seconds = 0;
};

struct TrainCallbacks {
  std::function<void(const EpochReport&)> epoch;
  std::function<void(const EncoderReport&)> encoder;
  std::function<void(int64_t done, int64_t total)> progress;  ///< samples of all epochs
};

/// Trains the task `model.tasks().back()`, which must have been added, on `data`; or the last options.joint tasks, on
/// what join() made of their data. The anchor θ* is the model's weights as they come, or those of each task before
/// (fold_anchors(), which is called first). Distillation holds to the outputs as they come, and trains the earlier
/// tasks' heads, too. In the end an encoder is trained where a code is asked for. Both are for one task at a time.
///
/// Writes `checkpoint` after each epoch unless it is empty. A model that came from a checkpoint goes on where it
/// stopped, bit for bit. Throws Error where training would diverge (before the first step), or where loss or weights
/// stop being finite. Draws dropout masks from LibTorch's default generator, which it seeds.
void train(Model& model, Dataset& data, const TrainOptions& options, const std::string& checkpoint = "",
           const TrainCallbacks& callbacks = {});

}  // namespace mas
