#include "mas/io/model_check.h"

#include <limits>

#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

namespace {

mas::ModelFile model_with_importance() {
  mas::ModelFile model;
  model.weights["w"] = torch::ones({2, 3});
  model.importance.closed["w"] = torch::ones({2, 3});
  model.importance.closed_tasks = 1;
  model.importance.sum["w"] = torch::ones({2, 3}, torch::kDouble);
  model.importance.count = 4;
  model.importance.method = "mas";
  return model;
}

std::string fault(const mas::ModelFile& model) {
  return mas::test::error_of([&] { mas::check_model(model, "x.h5"); });
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("a sound model passes, negative zero in its importance and negative anchors included") {
  auto model = model_with_importance();
  model.importance.closed["w"][0][0] = -0.0;
  model.importance.anchor["w"] = torch::full({2, 3}, -1.0);
  CHECK(fault(model).empty());
}

TEST_CASE("NaN and infinity are named with their tensor wherever they are") {
  for (const double bad : {kNan, -kNan, kInfinity, -kInfinity}) {
    auto model = model_with_importance();
    model.weights["w"][1][2] = bad;
    CHECK(fault(model) == "x.h5: /weights/w: holds NaN or infinity");
    model = model_with_importance();
    model.weights["d"] = torch::full({5}, bad, torch::kDouble);
    CHECK(fault(model) == "x.h5: /weights/d: holds NaN or infinity");
    model = model_with_importance();
    model.importance.sum["w"][0][1] = bad;
    CHECK(fault(model) == "x.h5: /importance/sum/w: holds NaN or infinity");
    model = model_with_importance();
    model.importance.anchor["w"] = torch::full({2, 3}, bad);
    CHECK(fault(model) == "x.h5: /importance/anchor/w: holds NaN or infinity");
    model = model_with_importance();
    model.heads["low"]["b"] = torch::full({1}, bad);
    CHECK(fault(model) == "x.h5: /heads/low/b: holds NaN or infinity");
    model = model_with_importance();
    model.encoders["low"]["bias"] = torch::full({1}, bad);
    CHECK(fault(model) == "x.h5: /encoders/low/bias: holds NaN or infinity");
    model = model_with_importance();
    model.buffers["mean"] = torch::full({1}, bad);
    CHECK(fault(model) == "x.h5: /buffers/mean: holds NaN or infinity");
    model = model_with_importance();
    model.optimizer["m"] = torch::full({1}, bad);
    CHECK(fault(model) == "x.h5: /optimizer/m: holds NaN or infinity");
  }
}

TEST_CASE("negative importance is refused") {
  auto model = model_with_importance();
  model.importance.closed["w"][0][0] = -1e-30;
  CHECK(fault(model) == "x.h5: /importance/closed/w: negative importance");
}

TEST_CASE("importance of other parameters is refused with both shapes") {
  auto model = model_with_importance();
  model.importance.closed["w"] = torch::ones({3, 2});
  CHECK(fault(model) ==
        "x.h5: /importance/closed/w: importance of other parameters: shape 3 x 2, but /weights/w has 2 x 3");
  model = model_with_importance();
  model.importance.sum["v"] = torch::ones({1});
  CHECK(fault(model) == "x.h5: /importance/sum/v: importance of other parameters; there is no /weights/v");
}

TEST_CASE("sums need their counts") {
  auto model = model_with_importance();
  model.importance.count = 0;
  CHECK(fault(model) == "x.h5: /importance/sum: no count of samples");
  model = model_with_importance();
  model.importance.closed_tasks = 0;
  CHECK(fault(model) == "x.h5: /importance/closed: no count of tasks (closed_tasks)");
  model = model_with_importance();
  model.importance.method = "";
  CHECK(fault(model) == "x.h5: /importance: no method");
  model = model_with_importance();
  model.importance.count = -1;
  CHECK(fault(model) == "x.h5: /importance: a negative count");
}

TEST_CASE("importance is of a task that is there") {
  auto model = model_with_importance();
  model.importance.tasks = 1;
  CHECK(fault(model) == "x.h5: /importance: of task 1, but /tasks has 0");
  model.tasks = {{{"name", "a"}}};
  CHECK(fault(model).empty());
}

TEST_CASE("weights of integers or half precision, and no weights at all, are refused") {
  auto model = model_with_importance();
  model.weights["i"] = torch::ones({1}, torch::kLong);
  CHECK(fault(model) == "x.h5: /weights/i: int64, expected float32 or float64");
  model = model_with_importance();
  model.weights["h"] = torch::ones({1}, torch::kHalf);
  CHECK(fault(model) == "x.h5: /weights/h: float16, expected float32 or float64");
  CHECK(fault(mas::ModelFile()) == "x.h5: no weights");
}

TEST_CASE("names that are not UTF-8 are refused wherever they are") {
  auto model = model_with_importance();
  model.weights["caf\xe9"] = torch::ones({1});
  CHECK(fault(model) == "x.h5: /weights/caf\xe9: a name that is not UTF-8");
  model = model_with_importance();
  model.heads["\xff"]["b"] = torch::ones({1});
  CHECK(fault(model) == "x.h5: /heads/\xff: a name that is not UTF-8");
}

TEST_CASE("what may name a tensor") {
  for (const char* name : {"fc1", "layers.0", "..", "caf\xc3\xa9"}) CHECK(mas::may_be_name(name));
  for (const std::string& name :
       {std::string(), std::string("."), std::string("a/b"), std::string("a\0b", 3), std::string("\xe9")})
    CHECK_FALSE(mas::may_be_name(name));
}
