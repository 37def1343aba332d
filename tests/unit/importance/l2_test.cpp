#include "mas/importance/l2.h"

#include "mas/error.h"
#include "mas/importance/importance.h"
#include "mas/model/architecture.h"
#include "unit/doctest_torch.h"

using namespace mas;

namespace {

void add_task(Model& model, const std::string& name) {
  TaskRecord task;
  task.name = name;
  task.classes = {0, 1};
  model.add_task(task);
}

}  // namespace

TEST_CASE("L2's importance is 1 after each task, whatever came before") {
  Model model(make_architecture("mlp:4", {3}), 1);
  auto& record = model.file.importance;
  add_task(model, "a");
  begin_feed(record, {1, "mas", "per-sample", "head"}, "ema:0.5", model.name());
  for (const auto& [name, value] : model.shared_parameters())
    feed(record, {{name, torch::rand(value.sizes(), at::kDouble)}}, 1);
  CHECK_THROWS_AS(set_l2(model), Error);  // samples of another method
  for (const char* name : {"b", "c"}) {
    add_task(model, name);
    for (int again = 0; again < 2; again++) {
      set_l2(model);
      const auto omega = total_importance(record);
      CHECK(omega.size() == 2);
      for (const auto& [parameter, value] : omega) CHECK(value.equal(torch::ones_like(value)));
      CHECK(record.count == 1);
    }
  }
  check_combinable(record, model.shared_parameters(), model.name());
}

TEST_CASE("frozen parameters have the importance 0 under L2, too") {
  struct PartlyFrozen : LayeredNetwork {
    PartlyFrozen() : LayeredNetwork(make_architecture("mlp:4", {3}), "net") {
      initialize(1);
      frozen_ = {"fc1.bias"};
    }
  };
  Model model(std::make_unique<PartlyFrozen>(), make_architecture("mlp:4", {3}), "");
  add_task(model, "a");
  set_l2(model);
  const auto omega = total_importance(model.file.importance);
  CHECK(omega.at("fc1.weight").equal(at::ones({4, 3})));
  CHECK(omega.at("fc1.bias").equal(at::zeros({4})));
}
