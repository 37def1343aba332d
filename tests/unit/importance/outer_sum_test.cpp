#include "mas/importance/kernel/outer_sum.h"
#include "mas/importance/kernel/rank_one_sum.h"

#include <hwy/targets.h>

#include "unit/importance/networks.h"

using namespace mas;
using mas::test::error;

namespace {

// Runs `check` with every instruction set that this processor has.
void on_every_target(const std::function<void(const char* name)>& check) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    if (kernels().target == target || target == HWY_SSSE3) check(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(0);
  }
}

at::Tensor measured(const at::Tensor& g, Measure m) { return m == Measure::kSquare ? g.square() : g.abs(); }

}  // namespace

TEST_CASE("each instruction set of this processor is reached when it is asked for") {
  std::set<int64_t> reached;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    reached.insert(kernels().target);
    hwy::SetSupportedTargetsForTest(0);
  }
  CHECK(reached.size() >= 2);
  CHECK(reached.count(kernels().target));
}

TEST_CASE("packing turns any matrix into padded rows on every instruction set") {
  on_every_target([](const char* target) {
    CAPTURE(target);
    for (int64_t columns : {1, 3, 4, 7, 16, 17, 48, 64, 70})
      for (int64_t positions : {1, 3, 4, 5, 16, 49}) {
        const int64_t width = (columns + 15) / 16 * 16;
        const auto rows = torch::randn({columns, positions}), turned = rows.t().contiguous();
        const auto want = torch::constant_pad_nd(turned, {0, width - columns});
        auto got = torch::full({positions, width}, 7.f);
        kernels().pack({rows.data_ptr<float>(), positions, 1}, columns, width, positions, got.data_ptr<float>());
        CHECK(torch::equal(got, want));
        got.fill_(7);
        kernels().pack({turned.data_ptr<float>(), 1, columns}, columns, width, positions, got.data_ptr<float>());
        CHECK(torch::equal(got, want));
      }
  });
}

TEST_CASE("columns are measured and summed in double for every width on every instruction set") {
  torch::manual_seed(5);
  on_every_target([](const char* target) {
    CAPTURE(target);
    for (const Measure measure : {Measure::kAbsolute, Measure::kSquare, Measure::kNone})
      for (int64_t width = 1; width <= 70; width++) {
        const auto from = torch::randn({9, 80});
        const auto part = from.narrow(1, 3, width).to(at::kDouble);
        auto got = torch::arange(width, at::kDouble);
        const auto want = got + (measure == Measure::kNone ? part : measured(part, measure)).sum(0);
        kernels().accumulate(measure, 9, width, from.data_ptr<float>() + 3, 80, got.data_ptr<double>());
        CHECK(torch::allclose(got, want, 1e-14, 1e-13));
        if (measure == Measure::kNone) continue;
        auto one = torch::full({width}, 7.f);
        kernels().measure(measure, width, from.data_ptr<float>(), one.data_ptr<float>());
        CHECK(torch::equal(one, measured(from[0].narrow(0, 0, width), measure)));
      }
  });
}

TEST_CASE("sums of outer products are right for every width on every instruction set") {
  torch::manual_seed(1);
  on_every_target([](const char* target) {
    CAPTURE(target);
    for (Measure measure : {Measure::kAbsolute, Measure::kSquare})
      for (int64_t columns = 1; columns <= 70; columns++) {
        CAPTURE(columns);
        const int64_t k = 1 + columns * 7 % 31, length = 1 + columns % 9, n = 3, groups = 1 + columns % 3;
        const auto x = torch::randn({n, groups, length, k}), d = torch::randn({n, groups, length, columns});
        OuterSum omega(groups, k, columns, measure);
        std::vector<int64_t> offset(k);
        for (int64_t i = 0; i < k; i++) offset[i] = i;
        auto sums = torch::empty({n, groups * columns});
        for (int twice = 0; twice < 2; twice++) {
          const auto packed = d.permute({0, 1, 3, 2}).contiguous();
          omega.add(n, {x.data_ptr<float>(), groups * length * k, length * k}, offset,
                    {packed.data_ptr<float>(), groups * columns * length, length, 1}, {1, length, 0, k},
                    sums.data_ptr<float>());
        }
        const auto g = torch::matmul(x.to(at::kDouble).transpose(2, 3), d.to(at::kDouble));
        CHECK(error(omega.take(), 2 * measured(g, measure).sum(0)) < 1e-6);
        CHECK(error(sums, d.to(at::kDouble).sum(2).flatten(1)) < 1e-6);
        CHECK(omega.take().abs().sum().item<float>() == 0);
      }
  });
}

TEST_CASE("rank-one samples are right for every width and number of rows on every instruction set") {
  torch::manual_seed(2);
  on_every_target([](const char* target) {
    CAPTURE(target);
    for (Measure measure : {Measure::kAbsolute, Measure::kSquare})
      for (int64_t n : {1, 2, 17, 128, 255, 256, 300, 600}) {
        CAPTURE(n);
        const int64_t k = 1 + n % 67, columns = 1 + n % 53;
        const auto a = torch::randn({n, k}), d = torch::randn({n, columns});
        RankOneSum omega(k, columns, measure);
        omega.add(a, d);  // once before it is cleared, and once after in two parts
        omega.sum();
        omega.clear();
        omega.add(a.slice(0, 0, n / 2), d.slice(0, 0, n / 2));
        omega.add(a.slice(0, n / 2), d.slice(0, n / 2));
        // BLAS sums up to 512 rows in float32, in an order of its own.
        const auto want = torch::matmul(measured(a, measure).t().to(at::kDouble), measured(d, measure).to(at::kDouble));
        CHECK(error(omega.sum(), want) < 2e-6);
        omega.clear();
        CHECK(omega.sum().abs().max().item<double>() == 0);
        auto handed = torch::zeros({columns, k}, torch::kDouble);
        const auto sink = [&](int64_t first, const at::Tensor& some) { handed.narrow(0, first, some.size(0)) += some; };
        RankOneSum hands_on(k, columns, measure, true);
        hands_on.add(a, d, sink);
        hands_on.add(a, d, sink);
        hands_on.finish(sink);
        CHECK(error(handed, 2 * want.t()) < 2e-6);
      }
  });
}

TEST_CASE("one and two threads sum the same numbers") {
  torch::manual_seed(3);
  const int before = at::get_num_threads();
  const int64_t n = 5, k = 200, columns = 130, length = 90;
  const auto x = torch::randn({n, length, k}), d = torch::randn({n, length, columns});
  std::vector<int64_t> offset(k);
  for (int64_t i = 0; i < k; i++) offset[i] = i;
  std::vector<at::Tensor> sums;
  for (int threads : {1, 2, 5}) {
    at::set_num_threads(threads);
    OuterSum omega(1, k, columns, Measure::kAbsolute);
    omega.add(n, {x.data_ptr<float>(), length * k, 0}, offset, {d.data_ptr<float>(), length * columns, 1, columns},
              {1, length, 0, k});
    sums.push_back(omega.take());
  }
  at::set_num_threads(before);
  CHECK(torch::equal(sums[0], sums[1]));
  CHECK(torch::equal(sums[0], sums[2]));
}
