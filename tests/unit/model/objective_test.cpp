#include "mas/model/objective.h"

#include <cmath>

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace mas;

TEST_CASE("the loss of facts is the double loop's, and the nearest fact of the same form counts") {
  const auto data = data_test::open("facts,batch=B11,pictures=5");
  const auto vectors = data->class_vectors();
  const auto labels = data->classes();
  const Objective objective(Scenario::kFacts, *data);
  torch::manual_seed(2);
  const auto targets = at::tensor(std::vector<int64_t>{labels[0], labels[4], labels.back()}, at::kLong);
  const auto y = torch::randn({3, 48}, at::requires_grad());
  double want = 0;
  for (int64_t i = 0; i < 3; i++)
    for (int64_t k = 0; k < 48; k++) {
      const double v = vectors[targets[i].item<int64_t>()][k].item<double>();
      if (!std::isnan(v)) want += std::pow(y[i][k].item<double>() - v, 2) / 3;
    }
  const auto loss = objective.loss(y, targets);
  CHECK(loss.item<double>() == doctest::Approx(want).epsilon(1e-5));
  loss.backward();
  CHECK(y.grad().isfinite().all().item<bool>());
  CHECK(y.grad()[0].narrow(0, 16, 32).eq(0).all().item<bool>());  // <S>: nothing is asked of the other parts
  const auto own = vectors.index_select(0, targets).nan_to_num(0.3);
  CHECK(objective.count_right(own, targets) == 3);
  CHECK(objective.count_right(own.roll(1, 0), targets) == 0);
}
