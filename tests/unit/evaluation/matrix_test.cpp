#include "mas/evaluation/matrix.h"

#include "unit/doctest_torch.h"

using namespace mas;

namespace {

AccuracyMatrix example() {
  AccuracyMatrix matrix;
  matrix.tasks = {"a", "b", "c"};
  matrix.models = {"m1", "m2", "m3"};
  matrix.learned = {1, 2, 3};
  matrix.accuracy = {{0.90, 0.50, 0.40}, {0.95, 0.80, 0.45}, {0.70, 0.75, 0.85}};
  matrix.untrained = {0.5, 0.4, 0.3};
  return matrix;
}

}  // namespace

TEST_CASE("the measures are those of their papers, worked by hand") {
  const auto m = measure(example());
  CHECK(*m.acc == doctest::Approx((0.70 + 0.75 + 0.85) / 3));
  CHECK(*m.bwt == doctest::Approx(((0.70 - 0.90) + (0.75 - 0.80)) / 2));
  CHECK(*m.fwt == doctest::Approx(((0.50 - 0.4) + (0.45 - 0.3)) / 2));
  CHECK(*m.forgetting == doctest::Approx(((0.95 - 0.70) + (0.80 - 0.75)) / 2));
  CHECK(*m.drop[0] == doctest::Approx(0.20));
  CHECK(*m.drop[2] == doctest::Approx(0));
  CHECK(*m.mean_drop == doctest::Approx(0.125));
}

TEST_CASE("ACC along the sequence is of the tasks learned by then") {
  auto matrix = example();
  const auto along = acc_along(matrix);
  CHECK(*along[0] == doctest::Approx(0.90));
  CHECK(*along[1] == doctest::Approx((0.95 + 0.80) / 2));
  CHECK(*along[2] == *measure(matrix).acc);
  matrix.accuracy[1][0].reset();
  CHECK(!acc_along(matrix)[1]);
  CHECK(acc_along(matrix)[2]);
}

TEST_CASE("intransigence is what a model of all tasks at once does better, after each task") {
  auto matrix = example();
  CHECK(measure(matrix).intransigence.empty());
  matrix.joint = {0.92, 0.85, 0.80};
  const auto m = measure(matrix);
  CHECK(*m.intransigence[0] == doctest::Approx(0.92 - 0.90));
  CHECK(*m.intransigence[2] == doctest::Approx(0.80 - 0.85));
  CHECK(*m.mean_intransigence == doctest::Approx((0.02 + 0.05 - 0.05) / 3));
  CHECK(to_json(matrix, m)["joint"] == nlohmann::json{0.92, 0.85, 0.80});
}

TEST_CASE("a measure whose cells are missing is missing, not wrong") {
  auto matrix = example();
  matrix.accuracy[0][0].reset();
  const auto m = measure(matrix);
  CHECK(m.acc);
  CHECK(!m.bwt);
  CHECK(!m.drop[0]);
  CHECK(m.drop[1]);
  CHECK(to_json(matrix, m)["bwt"].is_null());
  CHECK(to_json(matrix, m)["accuracy"][0][0].is_null());
}

TEST_CASE("what is 0 has no sign") {
  AccuracyMatrix matrix;
  matrix.tasks = {"a", "b"};
  matrix.models = {"x", "y"};
  matrix.learned = {1, 2};
  matrix.accuracy = {{0.5, {}}, {0.5, -0.0}};
  const auto m = measure(matrix);
  CHECK(to_json(matrix, m)["mean_drop"].dump() == "0.0");
  CHECK(to_csv(matrix) == "model,a,b\nx,0.500000,\ny,0.500000,0.000000\n");
}

TEST_CASE("CSV quotes names and leaves empty what isn't known") {
  AccuracyMatrix matrix;
  matrix.tasks = {"a,b"};
  matrix.models = {"x", "y"};
  matrix.learned = {1, 1};
  matrix.accuracy = {{0.5}, {{}}};
  CHECK(to_csv(matrix) == "model,\"a,b\"\nx,0.500000\ny,\n");
}
