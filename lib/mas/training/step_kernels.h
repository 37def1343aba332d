#pragma once
#include <cstddef>

namespace mas {

/// One optimiser step over n parameters that lie in one piece. Null where not needed.
struct StepSlices {
  float* parameter;
  const float* gradient;
  float* first;         ///< SGD: momentum; Adam: mean of the gradient
  float* second;        ///< Adam: mean of its square
  const float* omega;   ///< null: no penalty
  const float* anchor;  ///< θ*
  float* path;          ///< null, or w ← w − g·Δθ: g of the loss alone, Δθ what the step changes in all
  size_t n;
};

/// The constants of one step, folded.
struct StepScalars {
  float lr;  ///< Adam: lr / (1 − β1^t)
  float weight_decay;
  float momentum;    ///< SGD: μ; Adam: β1
  float beta2;       ///< Adam
  float new_mean;    ///< Adam: 1 − β1, which of a float32 β1 would be off
  float new_square;  ///< Adam: 1 − β2, likewise
  float root_bias;   ///< Adam: 1 / sqrt(1 − β2^t)
  float eps;         ///< Adam
  float stiffness;   ///< gradient step: 2λ; proximal step: 2λ·lr
  bool proximal;
};

/// θ ← θ − lr·b, b ← μ·b + g (first == null: b = g).
void sgd_step(const StepSlices& slices, const StepScalars& scalars);
/// θ ← θ − lr·m / (sqrt(v)·root_bias + eps).
void adam_step(const StepSlices& slices, const StepScalars& scalars);

}  // namespace mas
