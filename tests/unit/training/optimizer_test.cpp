#include "mas/training/optimizer.h"

#include <ATen/Parallel.h>

#include "mas/error.h"
#include "unit/doctest_torch.h"

using namespace mas;

namespace {

// Twenty steps of ours and of torch's optimiser on the same gradients; the largest difference.
template <class TorchOptimizer, class TorchOptions>
double difference(const OptimizerOptions& options, const TorchOptions& torch_options) {
  torch::manual_seed(5);
  const auto start = torch::randn({211, 173});
  at::Tensor ours = start.clone(), theirs = start.clone().to(at::kDouble);
  theirs.set_requires_grad(true);
  Optimizer optimizer({{"w", ours}}, options, {});
  TorchOptimizer reference(std::vector<at::Tensor>{theirs}, torch_options);
  for (int i = 0; i < 20; i++) {
    const auto gradient = torch::randn_like(start);
    ours.mutable_grad() = gradient.clone();
    theirs.mutable_grad() = gradient.to(at::kDouble);
    optimizer.step();
    reference.step();
  }
  return (ours.to(at::kDouble) - theirs.detach()).abs().max().item<double>();
}

}  // namespace

TEST_CASE("SGD with momentum and weight decay is torch's") {
  OptimizerOptions options;
  options.kind = OptimizerOptions::Kind::kSgd;
  options.lr = 0.05;
  options.momentum = 0.9;
  options.weight_decay = 1e-2;
  CHECK(difference<torch::optim::SGD>(options, torch::optim::SGDOptions(0.05).momentum(0.9).weight_decay(1e-2)) < 2e-6);
}

TEST_CASE("Adam is torch's") {
  OptimizerOptions options;
  options.lr = 0.01;
  options.weight_decay = 1e-3;
  CHECK(difference<torch::optim::Adam>(options, torch::optim::AdamOptions(0.01).weight_decay(1e-3)) < 2e-6);
}

TEST_CASE("Adam's means take what is new by shares that are rounded once") {
  at::Tensor w = torch::ones({1});
  Optimizer optimizer({{"w", w}}, {}, {});
  w.mutable_grad() = torch::ones({1});
  optimizer.step();
  CHECK(optimizer.state().at("mean/w").item<float>() == 0.1f);
  CHECK(optimizer.state().at("square/w").item<float>() == 0.001f);
}

TEST_CASE("a step doesn't depend on the number of threads") {
  Penalty penalty;
  penalty.lambda = 1;
  penalty.omega["w"] = torch::rand({300, 517});
  penalty.anchor["w"] = torch::randn({300, 517});
  const auto start = torch::randn({300, 517}), gradient = torch::randn({300, 517});
  std::vector<at::Tensor> results;
  for (int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    at::Tensor w = start.clone();
    Optimizer optimizer({{"w", w}}, {}, penalty);
    for (int i = 0; i < 3; i++) {
      w.mutable_grad() = gradient.clone();
      optimizer.step();
    }
    results.push_back(w);
  }
  at::set_num_threads(2);
  CHECK(results[0].equal(results[1]));
  CHECK(results[0].equal(results[2]));
}

TEST_CASE("a parameter without a gradient stays, and gradients are consumed") {
  at::Tensor w = torch::ones({4}), unused = torch::ones({4});
  Optimizer optimizer({{"unused", unused}, {"w", w}}, {}, {});
  w.mutable_grad() = torch::ones({4});
  optimizer.step();
  CHECK(unused.equal(torch::ones({4})));
  CHECK(!w.equal(torch::ones({4})));
  CHECK(!w.grad().defined());
}

TEST_CASE("a restored state goes on exactly, and one that doesn't fit is refused") {
  torch::manual_seed(6);
  std::vector<at::Tensor> gradients;
  for (int i = 0; i < 6; i++) gradients.push_back(torch::randn({9}));
  at::Tensor whole = torch::ones({9}), first = torch::ones({9});
  Optimizer a({{"w", whole}}, {}, {}), b({{"w", first}}, {}, {});
  for (int i = 0; i < 6; i++) {
    whole.mutable_grad() = gradients[i].clone();
    a.step();
    if (i >= 3) continue;
    first.mutable_grad() = gradients[i].clone();
    b.step();
  }
  at::Tensor second = first.clone();
  Optimizer c({{"w", second}}, {}, {});
  c.restore(b.state(), b.steps(), "checkpoint.h5");
  for (int i = 3; i < 6; i++) {
    second.mutable_grad() = gradients[i].clone();
    c.step();
  }
  CHECK(second.equal(whole));
  at::Tensor other = torch::ones({8});
  Optimizer d({{"w", other}}, {}, {});
  CHECK_THROWS_WITH_AS(d.restore(b.state(), 3, "checkpoint.h5"),
                       "checkpoint.h5: /optimizer/state/mean/w is missing, or of another shape or type", Error);
}

TEST_CASE("a sparse gradient, as some embeddings have, moves the rows that it has") {
  OptimizerOptions options;
  options.kind = OptimizerOptions::Kind::kSgd;
  options.lr = 0.5;
  const at::Tensor w = torch::ones({3, 2}), gradient = torch::tensor({{0.f, 0.f}, {1.f, 4.f}, {0.f, 0.f}});
  Optimizer optimizer({{"w", w}}, options, {});
  w.mutable_grad() = gradient.to_sparse();
  optimizer.step();
  CHECK(w.equal(1 - 0.5 * gradient));
}
