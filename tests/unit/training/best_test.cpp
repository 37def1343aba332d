#include "mas/training/best.h"

#include "mas/model/architecture.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

using namespace mas;

namespace {

// A small network, and the path of a training that never began.
struct Example {
  Example() : model(make_architecture("mlp:3", {2}), 1), trained(model, model.trainable_parameters()) {
    state.path.integral["fc1.weight"] = torch::zeros({3, 2});
  }

  // What an epoch that ends with this accuracy would do: everything becomes its number.
  void epoch(double accuracy) {
    state.epoch++;
    for (const auto& [name, value] : trained.parameters()) value.fill_(state.epoch);
    state.path.integral["fc1.weight"].fill_(state.epoch);
    keep_if_best(state, trained, accuracy);
  }

  Model model;
  Trained trained;
  TrainState state;
};

}  // namespace

TEST_CASE("the first of the best epochs is gone back to, with its path") {
  Example e;
  for (const double accuracy : {0.5, 0.75, 0.25, 0.75}) e.epoch(accuracy);
  CHECK(e.state.best_epoch == 2);
  take_best(e.state, e.trained);
  for (const auto& [name, value] : e.trained.parameters()) CHECK(value.eq(2).all().item<bool>());
  CHECK(e.state.path.integral.at("fc1.weight").eq(2).all().item<bool>());
}

TEST_CASE("patience counts the epochs since the best, and 0 never ends") {
  Example e;
  for (const double accuracy : {0.5, 0.25, 0.25}) e.epoch(accuracy);
  CHECK(out_of_patience(e.state, 2));
  CHECK_FALSE(out_of_patience(e.state, 3));
  CHECK_FALSE(out_of_patience(e.state, 0));
}

TEST_CASE("without a best epoch the last one stays") {
  Example e;
  e.trained.parameters().at("fc1.weight").fill_(7);
  take_best(e.state, e.trained);
  CHECK(e.model.file.weights.at("fc1.weight").eq(7).all().item<bool>());
}

TEST_CASE("a best epoch that lacks a tensor, or has another in its place, is an error") {
  Example e;
  const auto said = [&] { return test::error_of([&] { check_best(e.state, e.trained); }); };
  CHECK(said().empty());
  e.epoch(0.5);
  CHECK(said().empty());
  e.state.best["path/fc1.weight"] = torch::zeros({3, 2}, at::kLong);
  CHECK(said() == "mlp:3: /optimizer/best/path/fc1.weight: int64 of 3 x 2, expected float32 of 3 x 2");
  e.state.best["fc1.bias"] = torch::zeros({4});
  CHECK(said() == "mlp:3: /optimizer/best/fc1.bias: float32 of 4, expected float32 of 3");
  e.state.best.clear();
  CHECK(said() == "mlp:3: /optimizer/best/fc1.bias is missing, expected float32 of 3");
}
