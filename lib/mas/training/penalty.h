#pragma once
#include <map>
#include <string>

#include "mas/tensors.h"

namespace mas {

class Model;
struct TrainOptions;

/// How the penalty λ Σ Ω (θ − θ*)² (Aljundi et al., eq. 4) enters a step.
enum class PenaltyStep {
  kGradient,  ///< its gradient 2λΩ(θ − θ*) is added to the loss's
  kProximal  ///< after the optimiser's own step: θ ← (θ + 2λ·lr·Ω·θ*) / (1 + 2λ·lr·Ω), stable for every λ
};
PenaltyStep parse_penalty_step(const std::string& text);  ///< throws UsageError

/// What λ Σ Ω (θ − θ*)² is multiplied by where Ω is of this method (mas-importance's --method): ½ for ewc, whose
/// formula has it (Kirkpatrick et al. 2017, eq. 3).
double penalty_factor(const std::string& method);

struct Penalty {
  double lambda = 0;
  double factor = 1;  ///< penalty_factor()
  PenaltyStep step = PenaltyStep::kGradient;
  NamedTensors omega;   ///< float32, not negative; parameters without an entry are free
  NamedTensors anchor;  ///< θ*, for each entry of omega

  double weight() const { return factor * lambda; }
  bool active() const { return lambda > 0 && !omega.empty(); }
};

/// That of a training with these options around `anchor`, over what is trained of the model's parameters.
Penalty make_penalty(const Model& model, const TrainOptions& options, const NamedTensors& anchor,
                     const NamedTensors& trained);

/// factor · λ Σ Ω (θ − θ*)², in double.
double penalty_value(const Penalty& penalty, const NamedTensors& parameters);

/// Where the loss is flat, a step of SGD with the gradient step multiplies the distance to where penalty and weight
/// decay balance by 1 − lr·(2λΩ + decay), λ times the factor; with momentum μ it grows from lr·(2λΩ + decay) = 2(1 + μ)
/// on. `lr_factors`: of parameters whose learning rate is so many times lr. Throws Error naming the parameter, the
/// bound and what to do where training would diverge.
void check_stable(const Penalty& penalty, double lr, double momentum, double weight_decay,
                  const std::map<std::string, double>& lr_factors = {});

}  // namespace mas
