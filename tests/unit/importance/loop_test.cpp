#include "mas/importance/loop.h"

#include "mas/importance/difference.h"
#include "unit/importance/networks.h"

using namespace mas;

TEST_CASE("the loop gives each block's gradient for the chosen parameters alone and restores the others") {
  auto a = torch::randn({2}), b = torch::randn({2}), c = torch::randn({2});
  a.set_requires_grad(true);
  const auto x = torch::tensor({{1.f, 2.f}, {3.f, 4.f}, {5.f, 6.f}});
  const Forward f = [&](const at::Tensor& t) {
    CHECK(!a.requires_grad());
    return t * b;
  };
  std::vector<at::Tensor> got;
  const Samples samples{x, {}, {0, 1, 2}};
  loop_gradients(f, {a, b, c}, {1, 2}, samples, squared_norm_seeds(), 2, [&](int i, const at::Tensor& g) {
    if (i == 1) got.push_back(g);
    if (i == 2) CHECK(!g.defined());
  });
  REQUIRE(got.size() == 2);  // d sum (x b)^2 / d b = 2 b sum x^2
  CHECK(torch::allclose(got[0], 2 * b.detach() * torch::tensor({10.f, 20.f})));
  CHECK(torch::allclose(got[1], 2 * b.detach() * torch::tensor({25.f, 36.f})));
  CHECK(a.requires_grad());
  CHECK(!b.requires_grad());
  const Forward fails = [](const at::Tensor&) -> at::Tensor { throw std::runtime_error("no"); };
  CHECK_THROWS(loop_gradients(fails, {a, b}, {1}, samples, squared_norm_seeds(), 1, {}));
  CHECK(a.requires_grad());
}

TEST_CASE("a comparison sees the largest and the total difference, and NaN is never within it") {
  const auto of = [](std::vector<double> v) { return torch::tensor(v, at::kDouble); };
  const auto d = compare(of({1, 2.5, 4}), of({1, 2, 4}));
  CHECK(d.largest == 0.5);
  CHECK(d.total == 0.5);
  CHECK(d.relative() == 0.125);
  CHECK(d.within(0.13, 0, 3));
  CHECK(!d.within(0.12, 0, 3));
  CHECK(!compare(of({NAN, 2, 4}), of({1, 2, 4})).within(1, 1, 3));
  CHECK(compare(of({0, 0}), of({0, 0})).within(0, 0, 2));
  CHECK(!compare(of({0, 1e-9}), of({0, 0})).within(1, 0, 2));
  CHECK(compare(of({0, 1e-9}), of({0, 0})).within(0, 2e-9, 2));
  // Each off by little of the maximum, but all of them: the total shows it.
  const auto want = torch::full({1000}, 1e-4, at::kDouble);
  want[0] = 1;
  CHECK(!compare(want * 0.9 + (want > 0.5) * 0.1, want).within(1e-3, 0, 1000));
}
