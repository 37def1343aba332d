#pragma once
#include <string>
#include <vector>

#include "common/progress.h"
#include "common/training_options.h"

namespace mas::tool {

/// Reports of a training in this scenario with these `train` options, which all have to outlive it. Remarks wait for
/// the first samples: an error, which is one line alone, comes before them.
TrainCallbacks training_reports(const TrainingOptions& options, Progress& progress, std::vector<std::string> remarks,
                                const TrainOptions& train, Scenario scenario);

/// Measures each task on its test data, records that in the model and prints it.
void record_results(Model& model, const TrainingOptions& options);

}  // namespace mas::tool
