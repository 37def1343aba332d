#include <numeric>
#include "mas/error.h"

#include "mas/importance/estimator.h"
#include "unit/importance/networks.h"

using namespace mas;
using namespace mas::test;
namespace nn = torch::nn;

namespace {

nn::Sequential classifier() {
  return nn::Sequential(nn::Conv2d(1, 6, 3), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(), nn::Linear(6 * 9, 7),
                        nn::Tanh(), nn::Linear(7, 4));
}

EstimatorOptions of(Fisher kind) {
  EstimatorOptions options;
  options.method = Method::kFisher;
  options.fisher = kind;
  return options;
}

NamedTensors estimate(nn::Sequential net, Fisher kind, const at::Tensor& x, int64_t batch,
                      const at::Tensor& given = {}) {
  Estimator e([=](const at::Tensor& t) mutable { return net->forward(t); }, parameters(*net), of(kind));
  for (int64_t i = 0; i < x.size(0); i += batch) {
    const int64_t end = std::min(x.size(0), i + batch);
    e.add(x.slice(0, i, end), given.defined() ? given.slice(0, i, end) : given);
  }
  for (const auto& p : e.paths())
    if (batch > 1) CHECK(p.path != "loop");
  return e.sum();
}

// Σ_n Σ_c weight(n, c) (∂ log p(c | x_n) / ∂θ)² by autograd of the log-softmax in double, one sample and class at a
// time.
NamedTensors slow(nn::Sequential net, const at::Tensor& x,
                  const std::function<double(int64_t n, int64_t c, double p)>& weight) {
  const auto copy = std::dynamic_pointer_cast<nn::SequentialImpl>(net->clone());
  copy->to(at::kDouble);
  const auto named = parameters(*copy);
  NamedTensors sum;
  std::vector<at::Tensor> leaves;
  for (const auto& [name, p] : named) {
    sum[name] = at::zeros(p.sizes(), at::kDouble);
    leaves.push_back(p);
  }
  for (int64_t n = 0; n < x.size(0); n++) {
    const auto log_p = copy->forward(x.slice(0, n, n + 1).to(at::kDouble)).log_softmax(1)[0];
    for (int64_t c = 0; c < log_p.size(0); c++) {
      const double w = weight(n, c, log_p[c].exp().item<double>());
      if (w == 0) continue;
      const auto g = torch::autograd::grad({log_p[c]}, leaves, {}, /*retain_graph=*/true);
      size_t i = 0;
      for (auto& [name, s] : sum) s += w * g[i++].square();
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("the exact Fisher information is the expectation over classes, whatever the batches") {
  torch::manual_seed(21);
  auto net = classifier();
  const auto x = torch::randn({13, 1, 8, 8});
  const auto want = slow(net, x, [](int64_t, int64_t, double p) { return p; });
  for (int64_t batch : {13, 5, 1}) CHECK(error(estimate(net, Fisher::kExact, x, batch), want) < 1e-5);
}

TEST_CASE("the empirical Fisher information takes the labels' classes") {
  torch::manual_seed(22);
  auto net = classifier();
  const auto x = torch::randn({13, 1, 8, 8});
  const auto labels = torch::randint(0, 4, {13});
  const auto want = slow(net, x, [&](int64_t n, int64_t c, double) { return double(labels[n].item<int64_t>() == c); });
  for (int64_t batch : {13, 4}) CHECK(error(estimate(net, Fisher::kEmpirical, x, batch, labels), want) < 1e-5);
  Estimator e([=](const at::Tensor& t) mutable { return net->forward(t); }, parameters(*net), of(Fisher::kEmpirical));
  CHECK_THROWS_WITH_AS(e.add(x), doctest::Contains("needs a label"), Error);
}

TEST_CASE("the argmax Fisher information takes the class with the largest output, whatever the batches") {
  torch::manual_seed(25);
  auto net = classifier();
  const auto x = torch::randn({13, 1, 8, 8});
  const auto best = net->forward(x).argmax(1);
  CHECK(std::get<0>(at::_unique(best)).numel() > 1);
  const auto want = slow(net, x, [&](int64_t n, int64_t c, double) { return double(best[n].item<int64_t>() == c); });
  for (int64_t batch : {13, 4, 1}) CHECK(error(estimate(net, Fisher::kArgmax, x, batch), want) < 1e-5);
}

TEST_CASE("the sampled Fisher information draws from the network's distribution, whatever the batches") {
  torch::manual_seed(23);
  auto net = classifier();
  {
    at::NoGradGuard off;
    for (auto& p : net->parameters()) p.mul_(3);  // so that classes differ in probability
  }
  const auto x = torch::randn({3, 1, 8, 8});
  const auto many = x.repeat({2000, 1, 1, 1});
  std::vector<int64_t> numbers(6000);
  std::iota(numbers.begin(), numbers.end(), 0);
  const auto drawn = draws(numbers, 5);
  CHECK(drawn.min().item<double>() >= 0);
  CHECK(drawn.max().item<double>() < 1);
  const auto got = estimate(net, Fisher::kSampled, many, 700, drawn);
  CHECK(error(estimate(net, Fisher::kSampled, many, 128, drawn), got) < 1e-5);
  auto want = slow(net, x, [](int64_t, int64_t, double p) { return p * 2000; });
  for (const auto& [name, value] : want) CHECK(error(got.at(name), value) < 0.2);
}

TEST_CASE("many classes don't lose digits") {
  torch::manual_seed(24);
  nn::Sequential net(nn::Conv1d(1, 3, 3), nn::Tanh(), nn::Flatten(), nn::Linear(3 * 6, 300));
  const auto x = torch::randn({4, 1, 8}).repeat({128, 1, 1});
  auto want = slow(net, x.slice(0, 0, 4), [](int64_t, int64_t, double p) { return p * 128; });
  CHECK(error(estimate(net, Fisher::kExact, x, 512), want) < 1e-5);
}

TEST_CASE("outputs that are no classes have no Fisher information") {
  nn::Conv2d net(1, 2, 3);
  Estimator e([=](const at::Tensor& t) mutable { return net(t); }, parameters(*net), of(Fisher::kExact));
  CHECK_THROWS_WITH_AS(e.add(torch::randn({2, 1, 5, 5})), doctest::Contains("[samples, classes]"), Error);
}
