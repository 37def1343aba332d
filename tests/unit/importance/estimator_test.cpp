#include "mas/importance/estimator.h"

#include "mas/error.h"
#include "unit/importance/networks.h"

using namespace mas;
using namespace mas::test;
namespace nn = torch::nn;

namespace {

nn::Sequential mlp() {
  return nn::Sequential(nn::Flatten(), nn::Linear(30, 33), nn::ReLU(), nn::Linear(33, 17), nn::ReLU(),
                        nn::Linear(17, 5));
}
nn::Sequential convnet() {
  return nn::Sequential(nn::Conv2d(1, 9, 3), nn::ReLU(), nn::Conv2d(nn::Conv2dOptions(9, 20, 3).padding(1)), nn::ReLU(),
                        nn::MaxPool2d(2), nn::Flatten(), nn::Linear(20 * 25, 6));
}
Forward of(nn::Sequential net) {
  return [net](const at::Tensor& x) mutable { return net->forward(x); };
}
NamedTensors estimate(nn::Sequential net, const at::Tensor& x, int64_t batch) {
  Estimator e(of(net), parameters(*net));
  return test::estimate(e, x, batch);
}

struct Threads {
  int before = at::get_num_threads();
  ~Threads() { at::set_num_threads(before); }
};

}  // namespace

TEST_CASE("importance equals central finite differences in float64") {
  torch::manual_seed(1);
  for (auto net : {mlp(), convnet()}) {
    net->to(at::kDouble);
    const bool image = net->size() == 7;
    const auto x = image ? torch::rand({2, 1, 12, 12}, at::kDouble) : torch::rand({2, 30}, at::kDouble);
    const auto got = estimate(net, x, 2);
    at::NoGradGuard off;
    const double step = 1e-6;
    for (auto& item : net->named_parameters()) {
      CAPTURE(item.key());
      auto flat = item.value().view(-1);
      const auto sums = got.at(item.key()).view(-1);
      const double most = sums.max().item<double>();
      for (int64_t i = 0; i < flat.numel(); i += 1 + flat.numel() / 25) {
        double want = 0;
        for (int64_t n = 0; n < 2; n++) {
          const auto norm = [&](double value) {
            const double before = flat[i].item<double>();
            flat[i] = before + value;
            const double y = net->forward(x.slice(0, n, n + 1)).pow(2).sum().item<double>();
            flat[i] = before;
            return y;
          };
          want += std::fabs(norm(step) - norm(-step)) / (2 * step);
        }
        CHECK(std::fabs(sums[i].item<double>() - want) < 1e-6 * most);
      }
    }
  }
}

TEST_CASE("importance equals the slow loop's in double precision, whatever the batches, threads and order") {
  torch::manual_seed(2);
  const Threads restore;
  for (auto net : {mlp(), convnet()}) {
    const bool image = net->size() == 7;
    const auto x = image ? torch::randn({61, 1, 12, 12}) : torch::randn({301, 30});
    const auto want = oracle(net, x);
    for (int threads : {1, 2}) {
      at::set_num_threads(threads);
      for (int64_t batch : {int64_t(1), int64_t(13), x.size(0)}) {
        CAPTURE(batch);
        CHECK(error(estimate(net, x, batch), want) < 1e-5);
      }
    }
    CHECK(error(estimate(net, x.flip(0), 20), want) < 1e-5);
  }
}

TEST_CASE("many samples don't lose digits") {
  torch::manual_seed(3);
  auto net = nn::Sequential(nn::Linear(5, 4), nn::Tanh(), nn::Linear(4, 2));
  const auto x = torch::rand({64, 5});
  Estimator e(of(net), parameters(*net));
  for (int i = 0; i < 1000; i++) e.add(x);
  auto sum = e.sum();
  for (auto& [name, t] : sum) t /= 1000;
  CHECK(e.count() == 64000);
  CHECK(error(sum, oracle(net, x)) < 1e-6);
}

TEST_CASE("large weights are right in either order of their dimensions") {
  torch::manual_seed(5);
  const NamedTensors weights{{"first", torch::randn({2100, 2000}) / 50}, {"second", torch::randn({2100, 2000}) / 50}};
  const Forward f = [&](const at::Tensor& x) {
    return torch::linear(x, weights.at("first")).tanh().matmul(weights.at("second"));
  };
  Estimator e(f, weights);
  const auto x = torch::randn({12, 2000});
  CHECK(error(test::estimate(e, x, 5), one_by_one(f, weights, x)) < 1e-5);
  CHECK(path(e, "first") == "linear");
  CHECK(path(e, "second") == "linear");
}

TEST_CASE("sums that were asked for stay as they are") {
  torch::manual_seed(6);
  auto net = nn::Sequential(nn::Linear(5, 4), nn::Tanh(), nn::Linear(4, 2));
  const auto x = torch::rand({8, 5});
  Estimator e(of(net), parameters(*net));
  const auto once = estimate(e, x, 8);
  const auto copy = once.at("0.weight").clone();
  CHECK(error(estimate(e, x, 8).at("0.weight"), 2 * copy) < 1e-6);
  CHECK(once.at("0.weight").equal(copy));
}

TEST_CASE("convolutions of odd shapes are right and don't take the loop") {
  torch::manual_seed(4);
  const auto pick = [](int64_t low, int64_t high) { return torch::randint(low, high + 1, {1}).item<int64_t>(); };
  for (int round = 0; round < 60; round++) {
    const int64_t groups = round % 4 == 0 ? pick(2, 4) : 1;
    const int64_t in = groups * pick(1, 70 / groups), out = groups * pick(1, 70 / groups);
    const int64_t kh = pick(1, 5), kw = pick(1, 4), sh = pick(1, 3), sw = pick(1, 3), ph = pick(0, 2), pw = pick(0, 3),
                  dh = pick(1, 2), dw = pick(1, 3);
    const int64_t h = dh * (kh - 1) + 1 + pick(0, 9), w = dw * (kw - 1) + 1 + pick(0, 12);
    CAPTURE(round);
    CAPTURE(in);
    CAPTURE(out);
    CAPTURE(groups);
    auto net = nn::Sequential(nn::Conv2d(nn::Conv2dOptions(in, out, {kh, kw})
                                             .stride({sh, sw})
                                             .padding({ph, pw})
                                             .dilation({dh, dw})
                                             .groups(groups)
                                             .bias(round % 3 != 0)),
                              nn::Tanh());
    auto x = torch::randn({4, in, h, w});
    if (round % 5 == 0) x = x.contiguous(at::MemoryFormat::ChannelsLast);
    if (round % 5 == 1) net->to(at::kDouble), x = x.to(at::kDouble);
    Estimator e(of(net), parameters(*net));
    CHECK(error(test::estimate(e, x, 4), oracle(net, x)) < 1e-5);
    CHECK(path(e, "0.weight") == "convolution");
    if (round % 3) CHECK(path(e, "0.bias") == "convolution");
  }
}

TEST_CASE("samples larger than what the kernel takes at a time are right in either memory format") {
  torch::manual_seed(17);
  const auto conv = [](int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t groups, bool bias) {
    return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(1).groups(groups).bias(bias));
  };
  nn::Sequential net(conv(3, 64, 3, 1, 1, true), nn::Tanh(), conv(64, 64, 3, 1, 1, false), nn::BatchNorm2d(64),
                     nn::Tanh(), conv(64, 20, 5, 2, 4, true), nn::BatchNorm2d(20), nn::Tanh(), nn::Flatten());
  for (auto& b : net->named_buffers())
    if (b.value().is_floating_point()) b.value().uniform_(0.5, 1.5);
  net->eval();
  const auto x = torch::randn({3, 3, 43, 41});
  const auto want = oracle(net, x);
  for (auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    Estimator e(of(net), parameters(*net));
    e.add(x.contiguous(format));
    CHECK(error(e.sum(), want) < 1e-5);
    CHECK(path(e, "0.weight") == "convolution");
    CHECK(path(e, "3.weight") == "batch norm");
  }
}

TEST_CASE("one-dimensional and transposed convolutions are right") {
  torch::manual_seed(5);
  auto one = nn::Sequential(nn::Conv1d(nn::Conv1dOptions(5, 19, 3).stride(2).padding(2).dilation(2)), nn::Tanh(),
                            nn::Conv1d(19, 3, 2));
  auto x = torch::randn({6, 5, 23});
  Estimator e(of(one), parameters(*one));
  CHECK(error(test::estimate(e, x, 6), oracle(one, x)) < 1e-5);
  CHECK(path(e, "0.weight") == "convolution");
  auto turned = nn::Sequential(nn::ConvTranspose2d(nn::ConvTranspose2dOptions(4, 6, 3).stride(2).padding(1)),
                               nn::Tanh(), nn::Conv2d(6, 2, 3));
  x = torch::randn({5, 4, 6, 7});
  CHECK(error(estimate(turned, x, 5), oracle(turned, x)) < 1e-5);
}

TEST_CASE("linear layers over sequences are right, with and without a bias") {
  torch::manual_seed(6);
  for (bool bias : {false, true})
    for (int64_t length : {1, 3, 40}) {
      auto net = nn::Sequential(nn::Linear(nn::LinearOptions(7, 70).bias(bias)), nn::GELU(),
                                nn::Linear(nn::LinearOptions(70, 3).bias(bias)));
      const auto x = torch::randn({9, length, 7});
      Estimator e(of(net), parameters(*net));
      CHECK(error(test::estimate(e, x, 9), oracle(net, x)) < 1e-5);
      CHECK(path(e, "0.weight") == "linear");
    }
}

TEST_CASE("a batch norm in eval mode is right, one in training takes the loop and is right too") {
  torch::manual_seed(7);
  auto net = nn::Sequential(nn::Conv2d(2, 5, 3), nn::BatchNorm2d(5), nn::ReLU(), nn::Conv2d(5, 4, 3));
  net[1]->as<nn::BatchNorm2d>()->running_mean.normal_(0, 2);
  net[1]->as<nn::BatchNorm2d>()->running_var.uniform_(.5, 2);
  const auto x = torch::randn({7, 2, 9, 9});
  net->eval();
  Estimator still(of(net), parameters(*net));
  CHECK(error(test::estimate(still, x, 7), oracle(net, x)) < 1e-5);
  CHECK(path(still, "1.weight") == "batch norm");
  net->train();
  Estimator moving(of(net), parameters(*net));
  const auto got = test::estimate(moving, x, 7);
  CHECK(error(got, one_by_one(of(net), parameters(*net), x)) < 1e-5);
  for (const auto& p : moving.paths()) CHECK(p.path == "loop");
}

TEST_CASE("a weight with several uses has their gradients added before the absolute value") {
  torch::manual_seed(12);
  for (auto type : {at::kFloat, at::kDouble}) {
    auto w = torch::randn({8, 8}, type), c = torch::randn({3, 3, 3, 3}, type), b = torch::randn({3}, type);
    const auto run = [](const Forward& f, const NamedTensors& all, const at::Tensor& x) {
      Estimator e(f, all);
      CHECK(error(test::estimate(e, x, 4), one_by_one(f, all, x)) < 1e-5);
      for (const auto& [name, t] : all) CHECK(path(e, name) != "loop");
    };
    run([&](const at::Tensor& x) { return x.matmul(w.t()).tanh().matmul(w).tanh().matmul(w.t()); }, {{"w", w}},
        torch::randn({11, 8}, type));
    run([&](const at::Tensor& x) { return x.matmul(w.t()).tanh().matmul(w).mean(1); }, {{"w", w}},
        torch::randn({7, 3, 8}, type));
    run([&](const at::Tensor& x) { return torch::conv2d(torch::conv2d(x, c, b).tanh(), c, b); }, {{"c", c}, {"b", b}},
        torch::randn({7, 3, 8, 9}, type));
    Estimator twice([&](const at::Tensor& x) { return x.matmul(w).tanh(); }, {{"one", w}, {"other", w}});
    const auto sums = test::estimate(twice, torch::randn({4, 8}, type), 4);
    CHECK(torch::equal(sums.at("one"), sums.at("other")));
    CHECK(sums.at("one").max().item<double>() > 0);
  }
}

TEST_CASE("a weight that is turned in another way from batch to batch is right") {
  torch::manual_seed(20);
  auto w = torch::randn({6, 6});
  const Forward f = [&](const at::Tensor& x) {
    return x.mm(x[0][0].item<float>() > 0 ? w.permute({0, 1}) : w.permute({1, 0})).tanh();
  };
  Estimator e(f, {{"w", w}});
  auto x = torch::randn({24, 6});
  at::Tensor first = x.select(1, 0).view({6, 4});  // one sign a batch
  first.copy_(first.abs() * torch::tensor({1.f, -1.f, 1.f, 1.f, -1.f, 1.f}).unsqueeze(1));
  CHECK(error(test::estimate(e, x, 4), one_by_one(f, {{"w", w}}, x)) < 1e-5);
  CHECK(path(e, "w") == "linear");
}

TEST_CASE("parameters that are broadcast over the batch need no loop") {
  torch::manual_seed(13);
  auto row = torch::randn({5}), whole = torch::randn({1, 3, 5}), scale = torch::randn({3, 1}),
       minus = torch::randn({5}), one = torch::randn({1});
  const NamedTensors all{{"row", row}, {"whole", whole}, {"scale", scale}, {"minus", minus}, {"one", one}};
  const Forward f = [&](const at::Tensor& x) {
    return ((x * scale + whole).tanh() * row - 2 * minus).tanh() * x.sin() * one.view({1, 1, 1}) + x;
  };
  const auto x = torch::randn({9, 3, 5});
  Estimator e(f, all);
  CHECK(error(test::estimate(e, x, 9), one_by_one(f, all, x)) < 1e-5);
  for (const auto& name : {"row", "whole", "scale", "one"}) CHECK(path(e, name) == "broadcast");
}

TEST_CASE("parameters without a rule take the loop alone, and unused ones have no importance") {
  torch::manual_seed(14);
  auto w = torch::randn({6, 4}), odd = torch::randn({4, 4}), unused = torch::randn({3});
  const NamedTensors all{{"w", w}, {"odd", odd}, {"unused", unused}};
  const Forward f = [&](const at::Tensor& x) { return x.matmul(w).tanh().matmul(odd.sin()); };
  const auto x = torch::randn({5, 6});
  Estimator e(f, all);
  CHECK(error(test::estimate(e, x, 5), one_by_one(f, all, x)) < 1e-5);
  CHECK(path(e, "w") == "linear");
  CHECK(path(e, "odd") == "loop");
  CHECK(path(e, "unused") == "unused");
  CHECK(w.requires_grad());
}

TEST_CASE("outputs of any rank are squared and summed over all their elements") {
  torch::manual_seed(15);
  auto net = nn::Sequential(nn::Conv2d(2, 3, 3));
  const auto x = torch::randn({5, 2, 6, 6});
  CHECK(error(estimate(net, x, 5), oracle(net, x)) < 1e-5);
  Weights p;
  const Forward scalars = [&](const at::Tensor& t) { return torch::nn::functional::linear(t, p.w, p.b).sum(1); };
  Estimator e(scalars, p.named());
  const auto flat = torch::randn({5, 6});
  CHECK(error(test::estimate(e, flat, 5), one_by_one(scalars, p.named(), flat)) < 1e-5);
}

TEST_CASE("the local rule takes the rectified output of each layer, or the plain one, and reports the others") {
  torch::manual_seed(16);
  auto net = nn::Sequential(nn::Linear(6, 5), nn::ReLU(), nn::LayerNorm(nn::LayerNormOptions({5})), nn::Linear(5, 4),
                            nn::Tanh(), nn::Linear(4, 3));
  const auto x = torch::randn({7, 6});
  EstimatorOptions options;
  options.method = Method::kLocal;
  Estimator e(of(net), parameters(*net), options);
  const auto got = test::estimate(e, x, 7);
  at::NoGradGuard off;
  at::Tensor h = x;
  for (size_t i = 0; i < net->size(); i++) {
    const std::string name = std::to_string(i);
    if (auto* linear = net[i]->as<nn::Linear>()) {
      auto y = linear->forward(h);
      if (i == 0) y = y.relu();
      CHECK(error(got.at(name + ".weight"), torch::einsum("nc,nk->nck", {2 * y, h}).abs().sum(0)) < 1e-6);
      CHECK(error(got.at(name + ".bias"), (2 * y).abs().sum(0)) < 1e-6);
    }
    h = i == 2   ? net[i]->as<nn::LayerNorm>()->forward(h)
        : i == 1 ? h.relu()
        : i == 4 ? h.tanh()
                 : net[i]->as<nn::Linear>()->forward(h);
  }
  CHECK(path(e, "2.weight") == "no local rule");
  CHECK(got.at("2.weight").abs().sum().item<double>() == 0);
}

TEST_CASE("the local rule adds a weight's uses of each sample before the absolute value") {
  torch::manual_seed(19);
  auto w = torch::randn({5, 5});
  const auto x = torch::randn({7, 5});
  EstimatorOptions options;
  options.method = Method::kLocal;
  Estimator e([&](const at::Tensor& t) { return t.mm(w).relu().mm(w); }, {{"w", w}}, options);
  const auto got = test::estimate(e, x, 4);
  at::NoGradGuard off;
  const auto h = x.mm(w).relu(), y = h.mm(w);
  const auto of = [](const at::Tensor& in, const at::Tensor& out) {
    return torch::einsum("nk,nc->nkc", {in, 2 * out});
  };
  CHECK(error(got.at("w"), (of(x, h) + of(h, y)).abs().sum(0)) < 1e-6);
  CHECK(path(e, "w") == "linear");
}

TEST_CASE("averages of batches keep the rest for the next batch") {
  torch::manual_seed(17);
  Weights p;
  const Forward f = [&](const at::Tensor& x) { return torch::nn::functional::linear(x, p.w, p.b).tanh(); };
  const auto x = torch::randn({10, 6});
  EstimatorOptions options;
  options.batch_average = 4;
  Estimator pieces(f, p.named(), options), whole(f, p.named(), options);
  for (int64_t n = 0; n < 10; n++) {
    pieces.add(x.slice(0, n, n + 1));
    pieces.sum();  // looking doesn't end a block
  }
  whole.add(x);
  CHECK(error(pieces.sum(), whole.sum()) < 1e-6);
  CHECK(pieces.count() == 10);
  CHECK(path(whole, "w") == "batch");
}

TEST_CASE("what can't be right is an error that says where") {
  Weights p;
  const auto linear = [&](const at::Tensor& x) { return torch::nn::functional::linear(x, p.w, p.b); };
  for (int mode = 0; mode < 3; mode++) {
    EstimatorOptions options;
    options.loop = mode == 1;
    options.batch_average = mode == 2 ? 2 : 0;
    Estimator e(linear, p.named(), options);
    e.add(torch::randn({4, 6}));
    auto x = torch::randn({6, 6});
    x[3][1] = NAN;
    CHECK_THROWS_WITH_AS(e.add(x), doctest::Contains("sample 8:"), Error);
  }
  // Found only when compared alone: the sample that is meant is the batch's, not the comparison's.
  const auto alone = [&](const at::Tensor& x) { return x.size(0) > 1 ? linear(x) : linear(x) / (x[0][0] - 7); };
  auto x = torch::randn({9, 6});
  x[4][0] = 7;
  CHECK_THROWS_WITH_AS(Estimator(alone, p.named()).add(x), doctest::Contains("sample 5:"), Error);
  Estimator rows([&](const at::Tensor& x) { return linear(x).t(); }, p.named());
  CHECK_THROWS_WITH_AS(rows.add(torch::randn({3, 6})), doctest::Contains("first dimension"), Error);
  // The gradient of a root is infinite at 0.
  Estimator infinite([&](const at::Tensor& x) { return (linear(x) * 0).sqrt() + 1; }, p.named());
  infinite.add(torch::randn({3, 6}));
  CHECK_THROWS_WITH_AS(infinite.sum(), doctest::Contains("importance isn't finite"), Error);
  CHECK_THROWS_AS(Estimator(linear, {{"w", p.w * 2}}), Error);
  Estimator none(linear, p.named());
  none.add(torch::empty({0, 6}));
  CHECK(none.count() == 0);
  CHECK(none.sum().at("w").sizes() == p.w.sizes());
}
