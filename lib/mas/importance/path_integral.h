#pragma once
#include "mas/model/model.h"

namespace mas {

/// What a training went through, for Synaptic Intelligence (Zenke et al. 2017): for each parameter that it changes and
/// that tasks share, float32.
struct TrainingPath {
  NamedTensors start;     ///< θ before the first step
  NamedTensors integral;  ///< w = −Σ g·Δθ over the steps, g the gradient of the task's loss alone
};
TrainingPath begin_path(const Model& model);

/// Makes Ω = max(0, w / ((θ − start)² + ξ)) (eq. 4 and 5) the running task's importance, after its training: the task
/// before is closed by the model's rule, or added up. A negative w, where the way led uphill, has nothing to protect.
void set_path_importance(Model& model, const TrainingPath& path, double xi);

}  // namespace mas
