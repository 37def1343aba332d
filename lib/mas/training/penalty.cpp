#include "mas/training/penalty.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

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

Penalty make_penalty(const Model& model, const TrainOptions& options, const NamedTensors& anchor,
                     const NamedTensors& trained) {
  const auto& importance = model.file.importance;
  Penalty penalty;
  penalty.lambda = options.lambda;
  penalty.factor = penalty_factor(importance.method);
  penalty.step = options.penalty_step;
  penalty.omega = total_importance(importance);
  for (auto it = penalty.omega.begin(); it != penalty.omega.end();)
    it = trained.count(it->first) ? std::next(it) : penalty.omega.erase(it);
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

void check_stable(const Penalty& penalty, double lr, double momentum, double weight_decay,
                  const std::map<std::string, double>& lr_factors) {
  const double bound = 2 * (1 + momentum);
  double fastest = lr;
  for (const auto& [name, factor] : lr_factors) fastest = std::max(fastest, lr * factor);
  if (weight_decay > 0 && fastest * weight_decay >= bound) {
    throw Error("--weight-decay",
                fmt::format("training would diverge: lr*weight-decay = {:.3g} isn't below {:.3g}; use "
                            "--weight-decay below {:.3g}",
                            fastest * weight_decay, bound, bound / fastest));
  }
  if (!penalty.active() || penalty.step != PenaltyStep::kGradient) return;
  double most_lambda = penalty.lambda, worst = 0;  // worst: what is then above the bound
  std::string where;
  for (const auto& [name, omega] : penalty.omega) {
    const auto factor = lr_factors.find(name);
    const double own_lr = factor == lr_factors.end() ? lr : lr * factor->second;
    const double decay = weight_decay > 0 ? own_lr * weight_decay : 0;
    const double largest = omega.numel() ? omega.max().item<double>() : 0;
    const double stiffness = 2 * penalty.weight() * own_lr * largest;
    const double lambda = penalty.lambda * (bound - decay) / stiffness;
    if (!(lambda < most_lambda)) continue;
    most_lambda = lambda;
    worst = stiffness + decay;
    where = name;
  }
  if (where.empty()) return;
  throw Error("--lambda", fmt::format("training would diverge: {}lambda*lr*omega{} = {:.3g} in {} is above {:.3g}; use "
                                      "--penalty-step proximal, or --lambda below {:.3g}",
                                      penalty.factor == 1 ? "2*" : "", weight_decay > 0 ? " + lr*weight-decay" : "",
                                      worst, where, bound, most_lambda));
}

}  // namespace mas
