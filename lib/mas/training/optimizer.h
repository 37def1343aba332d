#pragma once
#include <map>
#include <string>

#include "mas/tensors.h"
#include "mas/training/penalty.h"
#include "mas/training/step_kernels.h"

namespace mas {

struct OptimizerOptions {
  enum class Kind { kSgd, kAdam } kind = Kind::kAdam;
  double lr = 1e-3;
  double momentum = 0;                            ///< of SGD
  double weight_decay = 0;                        ///< L2, added to the gradient as in torch.optim
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  ///< of Adam (Kingma & Ba 2015)
};
OptimizerOptions::Kind parse_optimizer(const std::string& text);  ///< throws UsageError

/// torch.optim's SGD and Adam with the penalty's step in the same pass over memory: a step with the penalty reads two
/// streams more (Ω and θ*) instead of making temporaries. Gradients are consumed: undefined after the step.
class Optimizer {
 public:
  /// parameters: leaves on the CPU, float32 contiguous. The penalty's tensors must outlive the optimiser. path: tensors
  /// of some of them, to each of which a step adds −g·Δθ, g being the loss's gradient and Δθ all that the step changes
  /// (importance/path_integral.h). lr_factors: of parameters that learn with so many times the rate.
  Optimizer(NamedTensors parameters, const OptimizerOptions& options, const Penalty& penalty,
            const NamedTensors& path = {}, const std::map<std::string, double>& lr_factors = {});

  void step();
  void set_lr(double lr) { options_.lr = lr; }

  /// For checkpoints: "momentum/NAME", or "mean/NAME" and "square/NAME"; and the number of steps.
  NamedTensors state() const;
  int64_t steps() const { return steps_; }
  /// Continues from a state() exactly; throws Error naming `name` where it doesn't fit.
  void restore(const NamedTensors& state, int64_t steps, const std::string& name);

 private:
  struct Slot {
    at::Tensor parameter, first, second, omega, anchor, path;  // undefined where not needed
    double lr_factor = 1;
  };
  StepScalars scalars(double lr) const;
  std::map<std::string, Slot> slots_;
  OptimizerOptions options_;
  double weight_;  ///< of the penalty
  PenaltyStep penalty_step_;
  int64_t steps_ = 0;
};

}  // namespace mas
