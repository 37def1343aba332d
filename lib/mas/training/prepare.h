#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mas/data/dataset.h"
#include "mas/model/model.h"
#include "mas/model/script_output.h"
#include "mas/training/trainer.h"

namespace mas {

/// Which network is to learn which task, or tasks. One of model, arch and resume is given; with resume, the checkpoint
/// brings everything but `open`.
struct TaskOptions {
  std::string model;               ///< model file to go on from; "-" is standard input
  std::string arch;                ///< a new network, see model/architecture.h
  std::string init;                ///< file with weights for a new network (io/state_dict.h); empty: random ones
  ScriptOutput output;             ///< of a TorchScript module: what heads go on, or the outputs
  std::string resume;              ///< checkpoint to go on from
  std::vector<std::string> data;   ///< specs of labelled training data: of a task each, which are trained at once
  std::vector<std::string> names;  ///< of these tasks; empty: task1, task2, ...
  std::string scenario;            ///< task, domain, class; empty: that of the model's tasks, or task
  uint64_t seed = 0;               ///< of initial weights, the order of samples and the held-out ones
  TrainOptions train;              ///< lr, lambda, penalty_step and code come from here:
  std::optional<double> lr;        ///< empty: 0.001 for Adam, 0.01 for SGD
  std::optional<double> lambda;    ///< empty: where the model has importance 1, or 1 / lr for Adam's proximal step; 0
                                   ///< with distillation
  std::optional<PenaltyStep> penalty_step;  ///< empty: gradient
  std::optional<int64_t> code;              ///< empty: with EBLL as many values as the last task's, else none
  OpenOptions open;                         ///< where data are looked up
};

/// All that train() needs.
struct Training {
  Model model;  ///< its last task is the one to train, or its last options.joint ones
  std::unique_ptr<Dataset> data;
  TrainOptions options;
  std::vector<std::string> remarks;  ///< lines for people, about what goes on but may not be meant
};

/// Opens data and model, and adds the tasks to it. Throws Error or UsageError where they don't go together.
Training prepare_training(const TaskOptions& options);

}  // namespace mas
