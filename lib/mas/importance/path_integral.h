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

/// Makes Ω = max(0, w / ((θ − start)² + ξ)) the running task's importance, after its training: the task before is
/// closed by the model's rule, or added up. Eq. 5 of the paper has no max; but a negative w, where the way led uphill,
/// would have the penalty (eq. 4) drive the weight away without bound. The authors' code takes the max of the sum over
/// tasks instead. Throws what check_path_importance() does.
void set_path_importance(Model& model, const TrainingPath& path, double xi);

/// Throws Error naming the model where set_path_importance() would add to importance of another method or ξ.
void check_path_importance(const Model& model, double xi);

}  // namespace mas
