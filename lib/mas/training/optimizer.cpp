#include "mas/training/optimizer.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <cmath>

#include "mas/error.h"
#include "mas/training/step_kernels.h"

#ifndef _OPENMP
#error "at::parallel_for runs on one thread where OpenMP isn't switched on"
#endif

namespace mas {
namespace {

constexpr int64_t kGrain = 1 << 15;  // parameters worth waking a thread for

float* data(const at::Tensor& tensor) { return tensor.defined() ? tensor.data_ptr<float>() : nullptr; }
float* offset(float* p, int64_t n) { return p ? p + n : nullptr; }

}  // namespace

OptimizerOptions::Kind parse_optimizer(const std::string& text) {
  if (text == "sgd") return OptimizerOptions::Kind::kSgd;
  if (text == "adam") return OptimizerOptions::Kind::kAdam;
  throw UsageError("--optimizer", fmt::format("must be sgd or adam, got {}", text));
}

Optimizer::Optimizer(NamedTensors parameters, const OptimizerOptions& options, const Penalty& penalty,
                     const NamedTensors& path, const std::map<std::string, double>& lr_factors)
    : options_(options), weight_(penalty.active() ? penalty.weight() : 0), penalty_step_(penalty.step) {
  const bool adam = options.kind == OptimizerOptions::Kind::kAdam;
  for (auto& [name, parameter] : parameters) {
    Slot slot;
    slot.parameter = parameter;
    if (adam || options.momentum != 0) slot.first = at::zeros(parameter.sizes(), at::kFloat);
    if (adam) slot.second = at::zeros(parameter.sizes(), at::kFloat);
    const auto omega = penalty.omega.find(name);
    if (weight_ > 0 && omega != penalty.omega.end()) {
      slot.omega = omega->second.contiguous();
      slot.anchor = penalty.anchor.at(name).contiguous();
    }
    if (const auto it = lr_factors.find(name); it != lr_factors.end()) slot.lr_factor = it->second;
    if (const auto it = path.find(name); it != path.end()) slot.path = it->second;
    slots_[name] = std::move(slot);
  }
}

StepScalars Optimizer::scalars(double lr) const {
  StepScalars scalars{};
  scalars.weight_decay = static_cast<float>(options_.weight_decay);
  scalars.proximal = penalty_step_ == PenaltyStep::kProximal;
  scalars.stiffness = static_cast<float>(2 * weight_ * (scalars.proximal ? lr : 1));
  if (options_.kind == OptimizerOptions::Kind::kAdam) {
    const auto t = static_cast<double>(steps_);
    scalars.lr = static_cast<float>(lr / (1 - std::pow(options_.beta1, t)));
    scalars.root_bias = static_cast<float>(1 / std::sqrt(1 - std::pow(options_.beta2, t)));
    scalars.momentum = static_cast<float>(options_.beta1);
    scalars.beta2 = static_cast<float>(options_.beta2);
    scalars.new_mean = static_cast<float>(1 - options_.beta1);
    scalars.new_square = static_cast<float>(1 - options_.beta2);
    scalars.eps = static_cast<float>(options_.eps);
  } else {
    scalars.lr = static_cast<float>(lr);
    scalars.momentum = static_cast<float>(options_.momentum);
  }
  return scalars;
}

void Optimizer::step() {
  steps_++;
  const bool adam = options_.kind == OptimizerOptions::Kind::kAdam;
  for (auto& [name, slot] : slots_) {
    at::Tensor& grad = slot.parameter.mutable_grad();
    if (!grad.defined()) continue;
    const StepScalars constants = scalars(options_.lr * slot.lr_factor);
    const at::Tensor gradient = (grad.is_sparse() ? grad.to_dense() : grad).contiguous();
    const StepSlices all{data(slot.parameter), data(gradient),    data(slot.first), data(slot.second),
                         data(slot.omega),     data(slot.anchor), data(slot.path),  0};
    at::parallel_for(0, gradient.numel(), kGrain, [&](int64_t begin, int64_t end) {
      StepSlices part = all;
      part.parameter += begin;
      part.gradient += begin;
      part.first = offset(all.first, begin);
      part.second = offset(all.second, begin);
      part.omega = all.omega ? all.omega + begin : nullptr;
      part.anchor = all.anchor ? all.anchor + begin : nullptr;
      part.path = offset(all.path, begin);
      part.n = static_cast<size_t>(end - begin);
      adam ? adam_step(part, constants) : sgd_step(part, constants);
    });
    grad.reset();
  }
}

NamedTensors Optimizer::state() const {
  const bool adam = options_.kind == OptimizerOptions::Kind::kAdam;
  NamedTensors state;
  for (const auto& [name, slot] : slots_) {
    if (slot.first.defined()) state[(adam ? "mean/" : "momentum/") + name] = slot.first;
    if (slot.second.defined()) state["square/" + name] = slot.second;
  }
  return state;
}

void Optimizer::restore(const NamedTensors& state, int64_t steps, const std::string& name) {
  for (const auto& [key, own] : this->state()) {
    const auto it = state.find(key);
    if (it == state.end() || it->second.sizes() != own.sizes() || it->second.scalar_type() != own.scalar_type()) {
      throw Error(name, fmt::format("/optimizer/state/{} is missing, or of another shape or type", key));
    }
    own.copy_(it->second);
  }
  steps_ = steps;
}

}  // namespace mas
