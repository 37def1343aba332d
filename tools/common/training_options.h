#pragma once
#include <string>
#include <vector>

#include "common/model_output.h"
#include "common/tool.h"
#include "mas/training/merge.h"
#include "mas/training/prepare.h"

namespace mas::tool {

/// What mas-train is asked for.
struct TrainingOptions {
  TaskOptions task;
  MergeOptions merge;
  std::vector<std::string> models;
  std::string checkpoint, optimizer = "adam", penalty_step, track, distill, augment;
  std::vector<std::string> lr_factors;
  bool no_results = false;
  std::vector<CLI::Option*> of_training;  ///< what a checkpoint brings itself
  CommonOptions common;
  ModelOutput output;
};

void add_training_options(CLI::App& app, TrainingOptions& options);

/// Throws UsageError where what was given on the command line of a training doesn't go together.
void check_training_usage(const CLI::App& app, const TrainingOptions& options);

}  // namespace mas::tool
