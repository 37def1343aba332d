#include "mas/training/penalty.h"

#include "mas/error.h"
#include "mas/training/optimizer.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

using namespace mas;

namespace {

Penalty example(PenaltyStep step, double lambda) {
  Penalty penalty;
  penalty.lambda = lambda;
  penalty.step = step;
  penalty.omega["w"] = torch::rand({3, 37}) * 3;
  penalty.anchor["w"] = torch::randn({3, 37});
  return penalty;
}

// One step of SGD from `start` with the loss's gradient `gradient`.
at::Tensor sgd(const Penalty& penalty, const at::Tensor& start, const at::Tensor& gradient, double lr) {
  at::Tensor w = start.clone();
  OptimizerOptions options;
  options.kind = OptimizerOptions::Kind::kSgd;
  options.lr = lr;
  Optimizer optimizer({{"w", w}}, options, penalty);
  w.mutable_grad() = gradient.clone();
  optimizer.step();
  return w;
}

}  // namespace

TEST_CASE("the gradient step follows the finite differences of the penalty") {
  torch::manual_seed(1);
  const auto penalty = example(PenaltyStep::kGradient, 0.7);
  const auto start = torch::randn({3, 37});
  const double lr = 1e-2;
  const auto moved = sgd(penalty, start, torch::zeros({3, 37}), lr);
  const auto gradient = (start - moved) / lr;
  CHECK(gradient.abs().min().item<double>() > 0);
  for (int64_t i : {0, 17, 110}) {
    const double h = 1e-3;
    const auto value = [&](double d) {
      auto w = start.to(at::kDouble).clone();
      w.view(-1)[i] += d;
      double sum = 0;  // the formula, term by term
      const auto omega = penalty.omega.at("w").to(at::kDouble), anchor = penalty.anchor.at("w").to(at::kDouble);
      for (int64_t j = 0; j < w.numel(); j++) {
        const double distance = w.view(-1)[j].item<double>() - anchor.view(-1)[j].item<double>();
        sum += 0.7 * omega.view(-1)[j].item<double>() * distance * distance;
      }
      return sum;
    };
    const double want = (value(h) - value(-h)) / (2 * h);
    CHECK(gradient.view(-1)[i].item<double>() == doctest::Approx(want).epsilon(1e-3));
  }
}

TEST_CASE("the proximal step is the minimum of the penalty around the optimiser's step") {
  torch::manual_seed(2);
  const auto penalty = example(PenaltyStep::kProximal, 40);
  const auto start = torch::randn({3, 37}), gradient = torch::randn({3, 37});
  const double lr = 0.1;
  const auto got = sgd(penalty, start, gradient, lr).to(at::kDouble);
  // argmin over w of (w - v)^2 / (2 lr) + lambda omega (w - anchor)^2, v = start - lr gradient
  const auto v = start.to(at::kDouble) - lr * gradient.to(at::kDouble);
  const auto s = 2 * 40 * lr * penalty.omega.at("w").to(at::kDouble);
  const auto want = (v + s * penalty.anchor.at("w").to(at::kDouble)) / (1 + s);
  CHECK((got - want).abs().max().item<double>() < 1e-5);
}

TEST_CASE("the proximal step holds still for a stiffness of any size") {
  auto penalty = example(PenaltyStep::kProximal, 1e12);
  const auto got = sgd(penalty, torch::randn({3, 37}), torch::randn({3, 37}), 1);
  CHECK((got - penalty.anchor.at("w")).abs().max().item<double>() < 1e-5);
}

TEST_CASE("the penalty's value is the sum of its terms") {
  torch::manual_seed(3);
  const auto penalty = example(PenaltyStep::kGradient, 2);
  const auto w = torch::randn({3, 37});
  double want = 0;
  for (int64_t i = 0; i < w.numel(); i++) {
    const double d = (w - penalty.anchor.at("w")).view(-1)[i].item<double>();
    want += 2 * penalty.omega.at("w").view(-1)[i].item<double>() * d * d;
  }
  CHECK(penalty_value(penalty, {{"w", w}}) == doctest::Approx(want));
}

TEST_CASE("the Fisher information weighs half as much, in value, step and bound") {
  CHECK(penalty_factor("ewc") == 0.5);
  for (const char* method : {"mas", "local", "si", "l2", "another program's"}) CHECK(penalty_factor(method) == 1);
  torch::manual_seed(4);
  for (const auto step : {PenaltyStep::kGradient, PenaltyStep::kProximal}) {
    auto half = example(step, 0.8), whole = half;
    half.factor = 0.5;
    whole.lambda = 0.4;
    const auto start = torch::randn({3, 37}), gradient = torch::randn({3, 37});
    CHECK(penalty_value(half, {{"w", start}}) == doctest::Approx(penalty_value(whole, {{"w", start}})));
    CHECK(sgd(half, start, gradient, 0.1).equal(sgd(whole, start, gradient, 0.1)));
  }
  Penalty penalty;
  penalty.lambda = 10;
  penalty.factor = 0.5;
  penalty.omega["a"] = torch::full({2}, 30.0);
  penalty.anchor["a"] = torch::zeros({2});
  CHECK_NOTHROW(check_stable(penalty, 0.006, 0, 0));  // 10 * 0.006 * 30 = 1.8
  CHECK_THROWS_WITH_AS(check_stable(penalty, 0.01, 0, 0),
                       "--lambda: training would diverge: lambda*lr*omega = 3 in a is above 2; use --penalty-step "
                       "proximal, or --lambda below 6.67",
                       Error);
}

TEST_CASE("a gradient step that would diverge is refused with the bound") {
  Penalty penalty;
  penalty.lambda = 10;
  penalty.omega["a"] = torch::full({2}, 1.0);
  penalty.omega["b"] = torch::full({2}, 30.0);
  penalty.anchor = {{"a", torch::zeros({2})}, {"b", torch::zeros({2})}};
  CHECK_NOTHROW(check_stable(penalty, 0.003, 0, 0));  // 2 * 10 * 0.003 * 30 = 1.8
  CHECK_THROWS_WITH_AS(check_stable(penalty, 0.01, 0, 0),
                       "--lambda: training would diverge: 2*lambda*lr*omega = 6 in b is above 2; use --penalty-step "
                       "proximal, or --lambda below 3.33",
                       Error);
  penalty.step = PenaltyStep::kProximal;
  CHECK_NOTHROW(check_stable(penalty, 0.01, 0, 0));

  // The bound is where it diverges: just below it the distance shrinks, just above it grows.
  penalty.step = PenaltyStep::kGradient;
  for (const double lr : {0.0033, 0.0034}) {
    at::Tensor w = torch::full({2}, 1.0);
    OptimizerOptions options;
    options.kind = OptimizerOptions::Kind::kSgd;
    options.lr = lr;
    Optimizer optimizer({{"b", w}}, options, penalty);
    for (int i = 0; i < 200; i++) {
      w.mutable_grad() = torch::zeros({2});
      optimizer.step();
    }
    CHECK((w.abs().max().item<double>() < 1) == (lr < 1.0 / 300));
  }
}

TEST_CASE("weight decay takes its part of the bound, and can exceed it alone") {
  Penalty penalty;
  penalty.lambda = 10;
  penalty.omega["a"] = torch::full({2}, 30.0);
  penalty.anchor["a"] = torch::full({2}, 1.0);
  const double decay = 400;  // 2 * 10 * 30 + 400 = 1000
  CHECK_THROWS_WITH_AS(check_stable(penalty, 0.003, 0, decay),
                       "--lambda: training would diverge: 2*lambda*lr*omega + lr*weight-decay = 3 in a is above 2; use "
                       "--penalty-step proximal, or --lambda below 4.44",
                       Error);
  CHECK_THROWS_WITH_AS(check_stable({}, 0.01, 0, decay),
                       "--weight-decay: training would diverge: lr*weight-decay = 4 isn't below 2; use --weight-decay "
                       "below 200",
                       Error);
  for (const double lr : {0.0019, 0.0021}) {
    CAPTURE(lr);
    at::Tensor w = torch::zeros({2});
    OptimizerOptions options;
    options.kind = OptimizerOptions::Kind::kSgd;
    options.lr = lr;
    options.weight_decay = decay;
    Optimizer optimizer({{"a", w}}, options, penalty);
    for (int i = 0; i < 200; i++) {
      w.mutable_grad() = torch::zeros({2});
      optimizer.step();
    }
    const bool settles = w.abs().max().item<double>() < 1;
    CHECK(settles == (lr < 0.002));
    CHECK(test::error_of([&] { check_stable(penalty, lr, 0, decay); }).empty() == settles);
  }
}
