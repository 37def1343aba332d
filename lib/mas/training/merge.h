#pragma once
#include <string>
#include <vector>

#include "mas/model/model.h"

namespace mas {

/// Incremental moment matching (Lee et al. 2017): one model of those that a chain of trainings left after each task.
struct MergeOptions {
  std::vector<std::string> models;  ///< files, in the order of learning
  std::string rule = "mean";  ///< mean: Σ α θ_t; mode: Σ α F_t θ_t / Σ α F_t, the mean where F is 0 in all
  std::string weights;        ///< α, "0.2,0.3,0.5": one for each file, divided by their sum; empty: equal
};

/// What tasks share is merged, an element of a head over the files that have it; floating-point buffers are averaged,
/// and a running_var beside its running_mean becomes the variance of all tasks' samples. Heads of single tasks and
/// other buffers are the last file's. Importance, encoders and recorded accuracies are left out: they are of other
/// weights. Throws Error naming the file that doesn't continue the one before (model/sequence.h), or that lacks the
/// Fisher information of its last task, estimated as in the first, which mode needs; UsageError for the rest.
Model merge_models(const MergeOptions& options);

}  // namespace mas
