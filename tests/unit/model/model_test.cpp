#include "mas/model/model.h"

#include <numeric>

#include "mas/error.h"
#include "mas/model/architecture.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"
#include "unit/model/task.h"

using namespace mas;
using mas::test::Scratch;

namespace {

TaskRecord task(const std::string& name, std::vector<int64_t> classes, Scenario scenario = Scenario::kTask) {
  return test::task_record(name, "data", std::move(classes), scenario, 0);
}

Model mlp() { return Model(make_architecture("mlp:5", {3}), 1); }

}  // namespace

TEST_CASE("scenario task gives each task a head of its own, outside the shared parameters") {
  auto model = mlp();
  model.add_task(task("a", {0, 1, 2}));
  model.add_task(task("b", {7, 3}));
  CHECK(model.file.heads.at("a").at("weight").sizes() == at::IntArrayRef({3, 5}));
  CHECK(model.file.heads.at("b").at("bias").sizes() == at::IntArrayRef({2}));
  CHECK(model.shared_parameters().size() == 2);
  const auto x = torch::randn({4, 3});
  CHECK(model.forward(x, model.task("a")).sizes() == at::IntArrayRef({4, 3}));
  CHECK(model.targets(torch::tensor({3, 7, 7}, at::kLong), model.task("b")).equal(torch::tensor({1, 0, 0}, at::kLong)));
  CHECK_THROWS_AS(model.targets(torch::tensor({5}, at::kLong), model.task("b")), Error);
}

TEST_CASE("scenario class grows one head and keeps the old outputs and their importance") {
  auto model = mlp();
  model.add_task(task("a", {4, 1}, Scenario::kClass));
  const auto before = model.file.weights.at("head.weight").clone();
  model.file.importance.closed["head.weight"] = torch::ones({2, 5});
  model.file.importance.anchor["head.weight"] = before;
  model.add_task(task("b", {1, 9, 8}, Scenario::kClass));
  const auto after = model.file.weights.at("head.weight");
  CHECK(after.sizes() == at::IntArrayRef({4, 5}));
  CHECK(after.narrow(0, 0, 2).equal(before));
  const auto omega = model.file.importance.closed.at("head.weight");
  CHECK(omega.narrow(0, 0, 2).equal(torch::ones({2, 5})));
  CHECK(omega.narrow(0, 2, 2).equal(torch::zeros({2, 5})));
  CHECK(model.file.importance.anchor.at("head.weight").narrow(0, 0, 2).equal(before));
  CHECK(model.file.importance.anchor.at("head.weight").sizes() == after.sizes());
  CHECK(model.targets(torch::tensor({8, 4, 1}, at::kLong), model.task("b")).equal(torch::tensor({3, 0, 1}, at::kLong)));
}

TEST_CASE("scenario domain shares the outputs, so each task needs as many") {
  auto model = mlp();
  model.add_task(task("a", {0, 1}, Scenario::kDomain));
  model.add_task(task("b", {2, 3}, Scenario::kDomain));
  CHECK(model.file.weights.at("head.bias").sizes() == at::IntArrayRef({2}));
  CHECK(model.targets(torch::tensor({3, 2}, at::kLong), model.task("b")).equal(torch::tensor({1, 0}, at::kLong)));
  CHECK_THROWS_AS(model.add_task(task("c", {4, 5, 6}, Scenario::kDomain)), Error);
}

TEST_CASE("a task that can't be added is refused and nothing changes") {
  auto model = mlp();
  model.add_task(task("a", {0, 1}));
  CHECK_THROWS_WITH_AS(model.add_task(task("a", {2, 3})),
                       "mlp:5: has learned a task named a already; choose another name with --task", Error);
  CHECK_THROWS_AS(model.add_task(task("b", {2, 3}, Scenario::kClass)), Error);
  CHECK_THROWS_AS(model.add_task(task("b/c", {2, 3})), UsageError);
  CHECK(model.tasks().size() == 1);
  CHECK(model.file.tasks.size() == 1);
}

TEST_CASE("a model goes through its file and computes the same") {
  auto model = mlp();
  model.add_task(task("a", {0, 1, 2}));
  const auto x = torch::randn({4, 3});
  const auto want = model.forward(x, model.task("a"));
  const Scratch folder;
  write_model(model.file, folder / "m.h5");
  const Model again(read_model(folder / "m.h5"), "m.h5");
  CHECK(again.forward(x, again.task("a")).equal(want));
}

TEST_CASE("a file whose parts don't fit each other is refused") {
  auto model = mlp();
  model.add_task(task("a", {0, 1, 2}));
  ModelFile file = model.file;
  file.heads["a"]["weight"] = torch::zeros({2, 5});
  CHECK_THROWS_AS(Model(file, "m.h5"), Error);
  file = model.file;
  file.heads.clear();
  CHECK_THROWS_WITH_AS(Model(file, "m.h5"), "m.h5: the head of task a has no weight", Error);
  file = model.file;
  file.heads["a"]["bias"] = torch::zeros({3}, at::kDouble);
  CHECK_THROWS_WITH_AS(Model(file, "m.h5"),
                       "m.h5: the head's bias of task a: float64, but the other weights are float32", Error);
  for (const auto& [shape, task] : {std::pair<Shape, std::string>{{2, 4}, "a"}, {{3, 5}, "a"}, {{2, 5}, "b"}}) {
    file = model.file;
    file.encoders[task] = {{"weight", torch::zeros(shape)}, {"bias", torch::zeros({2})}};
    CHECK_THROWS_WITH_AS(Model(file, "m.h5"),
                         task == "a" ? "m.h5: the encoder of task a isn't a float32 weight of N x 5 and a bias of N"
                                     : "m.h5: has no task named b",
                         Error);
  }
  file = model.file;
  file.encoders["a"] = {{"weight", torch::zeros({2, 5})}, {"bias", torch::zeros({2})}};
  CHECK_NOTHROW(Model(file, "m.h5"));
  file = model.file;
  file.weights["head.weight"] = torch::zeros({});
  CHECK_THROWS_WITH_AS(Model(file, "m.h5"),
                       "m.h5: head.weight: only a model with tasks of scenario domain or class has it", Error);
  file = model.file;
  file.tasks.push_back(file.tasks[0]);
  CHECK_THROWS_WITH_AS(Model(file, "m.h5"), "m.h5: /tasks has two tasks named a", Error);
  file = model.file;
  file.tasks[0]["scenario"] = "other";
  CHECK_THROWS_AS(Model(file, "m.h5"), Error);
  file = model.file;
  file.tasks = nlohmann::json::array({1});
  CHECK_THROWS_AS(Model(file, "m.h5"), Error);
}

TEST_CASE("a million classes cost no more than their number") {
  std::vector<int64_t> classes(1000000);
  std::iota(classes.begin(), classes.end(), 5);
  for (const auto scenario : {Scenario::kTask, Scenario::kClass}) {
    auto model = mlp();
    model.add_task(task("a", classes, scenario));
    const auto labels = torch::tensor(classes, at::kLong);
    CHECK(model.targets(labels, model.task("a")).equal(labels - 5));
    CHECK(model.answers(model.task("a")));
  }
}

TEST_CASE("names that no file can hold are refused for tasks") {
  auto model = mlp();
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a\0b", 3), std::string("\xe9")})
    CHECK_THROWS_AS(model.add_task(task(name, {0, 1})), UsageError);
}
