#pragma once
#include "common/training_options.h"

namespace mas::tool {

/// mas-train --merge: one model of several, without a training. Returns the exit status.
int merge(TrainingOptions& options);

}  // namespace mas::tool
