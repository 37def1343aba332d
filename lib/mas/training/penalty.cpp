#include "mas/training/penalty.h"

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/importance/importance.h"
#include "mas/importance/methods.h"
#include "mas/model/model.h"
#include "mas/training/options.h"

namespace mas {

PenaltyStep parse_penalty_step(const std::string& text) {
  if (text == "gradient") return PenaltyStep::kGradient;
  if (text == "proximal") return PenaltyStep::kProximal;
  throw UsageError("--penalty-step", fmt::format("must be gradient or proximal, got {}", text));
}

double penalty_factor(const std::string& method) { return method_called(method).penalty_factor; }

Penalty make_penalty(const Model& model, const TrainOptions& options, const NamedTensors& anchor) {
  const auto& importance = model.file.importance;
  Penalty penalty;
  penalty.lambda = options.lambda;
  penalty.factor = penalty_factor(importance.method);
  penalty.step = options.penalty_step;
  penalty.omega = total_importance(importance);
  for (const auto& name : model.network().frozen()) penalty.omega.erase(name);
  penalty.anchor = anchor;
  return penalty;
}

double penalty_value(const Penalty& penalty, const NamedTensors& parameters) {
  if (!penalty.active()) return 0;
  at::NoGradGuard no_grad;
  double value = 0;
  for (const auto& [name, omega] : penalty.omega) {
    const auto distance = parameters.at(name).detach() - penalty.anchor.at(name);
    value += (omega * distance.square()).sum(at::kDouble).item<double>();
  }
  return penalty.weight() * value;
}

LargestOmega largest_omega(const NamedTensors& omega) {
  LargestOmega largest;
  for (const auto& [name, value] : omega) {
    const double most = value.numel() ? value.max().item<double>() : 0;
    if (most > largest.value) largest = {most, name};
  }
  return largest;
}

void check_stable(const Penalty& penalty, double lr, double momentum, double weight_decay) {
  const double bound = 2 * (1 + momentum), decay = weight_decay > 0 ? lr * weight_decay : 0;
  if (decay >= bound) {
    throw Error("--weight-decay",
                fmt::format("training would diverge: lr*weight-decay = {:.3g} isn't below {:.3g}; use "
                            "--weight-decay below {:.3g}",
                            decay, bound, bound / lr));
  }
  if (!penalty.active() || penalty.step != PenaltyStep::kGradient) return;
  const auto largest = largest_omega(penalty.omega);
  const double stiffness = 2 * penalty.weight() * lr * largest.value;
  if (stiffness + decay <= bound) return;
  throw Error("--lambda",
              fmt::format("training would diverge: {}lambda*lr*omega{} = {:.3g} in {} is above {:.3g}; use "
                          "--penalty-step proximal, or --lambda below {:.3g}",
                          penalty.factor == 1 ? "2*" : "", decay > 0 ? " + lr*weight-decay" : "", stiffness + decay,
                          largest.parameter, bound, penalty.lambda * (bound - decay) / stiffness));
}

}  // namespace mas
