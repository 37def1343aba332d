// Networks whose batches aren't their samples side by side, and those that only look so.
#include "mas/error.h"
#include "mas/importance/estimator.h"
#include "unit/importance/networks.h"

using namespace mas;
using namespace mas::test;

TEST_CASE("samples that influence one another are found even where the influence is small") {
  torch::manual_seed(8);
  for (double strength : {1.0, 1e-4, -1.0}) {  // the last: detached, so that no gradient shows it
    Weights p;
    const Forward f = [&](const at::Tensor& x) {
      const auto h = torch::nn::functional::linear(x, p.w, p.b).tanh();
      const auto mean = h.mean(0, true);
      return strength < 0 ? h - mean.detach() : h - strength * mean;
    };
    const auto x = torch::randn({40, 6});
    Estimator e(f, p.named());
    const auto got = test::estimate(e, x, 40);
    CHECK(error(got, one_by_one(f, p.named(), x)) < 1e-6);
    CHECK(path(e, "w") == "loop");
    CHECK(path(e, "b") == "loop");
  }
}

TEST_CASE("what only large batches do is found, though few samples are compared") {
  torch::manual_seed(12);
  Weights p;
  const Forward f = [&](const at::Tensor& x) {
    const auto h = torch::nn::functional::linear(x, p.w, p.b).tanh();
    return h + (x.size(0) < 30 ? 0 : 1) * h.detach().mean(0, true);
  };
  const auto x = torch::randn({40, 6});
  for (int64_t first : {40, 5}) {  // large at once, or after small ones were found right
    Estimator e(f, p.named());
    e.add(x.slice(0, 0, first));
    if (first == 5) {
      CHECK_THROWS_WITH_AS(e.add(x), doctest::Contains("stopped being those of single samples"), Error);
      continue;
    }
    CHECK(error(e.sum(), one_by_one(f, p.named(), x)) < 1e-6);
    CHECK(path(e, "w") == "loop");
  }
}

TEST_CASE("a single pair of samples that influence each other is found") {
  torch::manual_seed(13);
  Weights p;
  const Forward f = [&](const at::Tensor& x) {
    const auto h = torch::nn::functional::linear(x, p.w, p.b).tanh();
    return x.size(0) < 20 ? h + 0 : h + h.narrow(0, 12, 1) * (at::arange(x.size(0)) == 11).unsqueeze(1);
  };
  const auto x = torch::randn({40, 6});
  Estimator e(f, p.named());
  CHECK(error(test::estimate(e, x, 40), one_by_one(f, p.named(), x)) < 1e-6);
  CHECK(path(e, "w") == "loop");
}

TEST_CASE("samples along the second dimension of a layer don't pass for rows of the first") {
  torch::manual_seed(9);
  Weights p;
  const Forward f = [&](const at::Tensor& x) {  // [n, t, 6] as [t, n, 6]: sequence first inside
    return torch::nn::functional::linear(x.transpose(0, 1).contiguous(), p.w, p.b).tanh().mean(0);
  };
  const auto x = torch::randn({8, 5, 6});
  for (auto method : {Method::kMas, Method::kLocal}) {
    EstimatorOptions options;
    options.method = method;
    Estimator batched(f, p.named(), options), single(f, p.named(), options);
    const auto want = test::estimate(single, x, 1);
    CHECK(error(test::estimate(batched, x, 8), want) < 1e-5);
    if (method == Method::kMas) CHECK(error(want, one_by_one(f, p.named(), x)) < 1e-5);
    CHECK(path(batched, "w") == (method == Method::kMas ? "linear" : "loop"));
  }
}

TEST_CASE("layers that are dead in the first samples are compared later") {
  torch::manual_seed(10);
  Weights p;
  p.b.fill_(-1);
  // The gate opens for later samples alone, and then couples samples in a way that only their values show.
  const Forward f = [&](const at::Tensor& x) {
    const auto h = (torch::nn::functional::linear(x, p.w, p.b)).relu();
    return h * (1 + h.detach().mean());
  };
  const auto dead = torch::zeros({6, 6}), alive = torch::randn({6, 6}) * 3;
  Estimator e(f, p.named());
  e.add(dead);
  CHECK(path(e, "w") == "linear");
  e.add(alive);
  CHECK(path(e, "w") == "loop");
  auto want = one_by_one(f, p.named(), alive);
  CHECK(error(e.sum(), want) < 1e-5);
}

TEST_CASE("what rounding decides otherwise in a batch is no fault, unless it is a large part of the importance") {
  for (double share : {0.01, 1.0}) {
    torch::manual_seed(16);
    Weights p;
    p.b.select(0, 0).fill_(0);
    const auto scale = torch::ones({p.b.size(0)});
    scale[0] = share;
    // As if a sum came out a little larger in a batch: the first unit is 0 for the first sample, or just above.
    const Forward f = [&](const at::Tensor& x) {
      const auto h = torch::nn::functional::linear(x, p.w, p.b) + (x.size(0) > 1 ? 1e-9 : 0);
      return (h.relu() * scale).sum(1, true) + 3;
    };
    auto x = torch::randn({5, 6});
    x[0].fill_(0);
    Estimator e(f, p.named());
    for (int i = 0; i < 20; i++) e.add(x);  // often enough to be looked at again
    CHECK(path(e, "b") == (share < 1 ? "linear" : "loop"));
  }
}

TEST_CASE("a network that changes what it does is compared again") {
  torch::manual_seed(11);
  Weights p;
  const Forward f = [&](const at::Tensor& x) {
    const auto h = torch::nn::functional::linear(x, p.w, p.b);
    if (x[0][0].item<float>() < 10) return h.tanh();
    return h + torch::matmul(p.w, x.t()).t();  // mm with the weight on the left: no rule
  };
  const auto usual = torch::rand({5, 6}), other = torch::rand({5, 6}) + 10;
  Estimator e(f, p.named());
  e.add(usual);
  e.add(other);
  e.add(usual);
  auto want = one_by_one(f, p.named(), torch::cat({usual, other, usual}));
  CHECK(error(e.sum(), want) < 1e-5);
}

TEST_CASE("a parameter that shows importance late is compared before it counts") {
  torch::manual_seed(17);
  auto net = std::make_shared<Net>();
  net->add("early", {6});
  net->add("late", {6});
  net->add("coupled", {6});
  const auto parameter = [net = net.get()](const char* name) { return net->named_parameters()[name]; };
  const Forward forward = [=](const at::Tensor& x) {
    const auto large = (x.narrow(1, 0, 1) > 5).to(x.scalar_type());  // of none of the first samples
    const auto shared = (large * x * parameter("coupled")).mean(0, true);
    return x * parameter("early") + large * x * parameter("late") + (shared - shared.detach());  // adds gradients alone
  };
  auto x = torch::randn({40, 6}).clamp(-3, 3);
  x.slice(0, 25, 40).select(1, 0).fill_(6);
  Estimator e(forward, parameters(*net));
  const auto got = test::estimate(e, x, 5);
  const auto want = one_by_one(forward, parameters(*net), x);
  CHECK(path(e, "early") == "broadcast");
  CHECK(path(e, "late") == "broadcast");
  CHECK(path(e, "coupled") == "loop");
  CHECK(error(got, want) < 1e-5);
}

TEST_CASE("a network that mixes samples later, or by little, doesn't pass for one that doesn't") {
  torch::manual_seed(19);
  auto net = std::make_shared<Net>();
  net->add("p", {6});
  const auto p = [net = net.get()] { return net->named_parameters()["p"]; };
  auto x = torch::randn({60, 6}).clamp(-3, 3);
  x.slice(0, 40, 60).fill_(12).add_(torch::randn({20, 6}));
  const std::vector<Forward> mixing{[=](const at::Tensor& t) {  // other nodes
                                      auto h = t * p();
                                      return t.max().item<float>() > 10 ? h - 0.5 * h.mean(0, true) : h;
                                    },
                                    [=](const at::Tensor& t) {  // values alone
                                      const auto h = t * p();
                                      return h + 5e-4 * h.mean(0, true).detach();
                                    },
                                    [=](const at::Tensor& t) {  // a step that only large inputs make
                                      const auto h = t.reshape({-1, 2, 3}) * p().slice(0, 0, 3);
                                      return t.max().item<float>() > 10 ? (h * h.mean()).flatten(1) : h.flatten(1);
                                    }};
  for (size_t i = 0; i < mixing.size(); i++) {
    CAPTURE(i);
    Estimator e(mixing[i], parameters(*net));
    CHECK(error(test::estimate(e, x, 10), one_by_one(mixing[i], parameters(*net), x)) < 1e-5);
    CHECK(path(e, "p") == "loop");
  }
  // The same nodes, and values that begin to mix: compared again, it is an error.
  const Forward late = [=](const at::Tensor& t) {
    const auto h = t * p(), gate = (t.max() > 10).to(at::kFloat);
    return h - 0.5 * gate * h.mean(0, true);
  };
  Estimator e(late, parameters(*net));
  CHECK_THROWS_WITH_AS(test::estimate(e, x.repeat({4, 1}), 10), doctest::Contains("batches of one sample"), Error);
}

TEST_CASE("a weight that is refused after a part of it was added doesn't count twice") {
  torch::manual_seed(14);
  Weights p;
  const auto constant = torch::randn({5, p.w.size(1)});
  const Forward f = [&](const at::Tensor& x) {
    const auto h = torch::nn::functional::linear(x, p.w.narrow(0, 0, 2)).tanh();
    return h + constant.mm(p.w.narrow(0, 2, 2).t()).tanh().sum(0);  // no rows of samples
  };
  const auto x = torch::randn({8, 6});
  NamedTensors named{{"w", p.w}};
  Estimator checked(f, named);
  CHECK(error(test::estimate(checked, x, 8), one_by_one(f, named, x)) < 1e-6);
  CHECK(path(checked, "w") == "loop");
  EstimatorOptions unchecked;
  unchecked.check_samples = 0;
  CHECK_THROWS_WITH_AS(Estimator(f, named, unchecked).add(x), doctest::Contains("feed batches of one sample"), Error);
}
