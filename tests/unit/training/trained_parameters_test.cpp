#include "mas/training/trained_parameters.h"

#include "mas/error.h"
#include "mas/model/architecture.h"
#include "mas/training/best.h"
#include "mas/training/trainer.h"
#include "unit/memory_dataset.h"

using namespace mas;

namespace {

TaskRecord clouds(const std::string& name, Scenario scenario) {
  TaskRecord task;
  task.name = name;
  task.data = "clouds";
  task.classes = {0, 1, 2};
  task.scenario = scenario;
  return task;
}

Model with_tasks(Scenario scenario, int count = 2) {
  Model model(make_architecture("mlp:6,5", {8}), 3);
  for (int i = 0; i < count; i++) model.add_task(clouds(std::string(1, static_cast<char>('a' + i)), scenario));
  return model;
}

std::vector<std::string> names(const NamedTensors& tensors) {
  std::vector<std::string> result;
  for (const auto& [name, value] : tensors) result.push_back(name);
  return result;
}

NamedTensors copy(const NamedTensors& tensors) {
  NamedTensors copies;
  for (const auto& [name, value] : tensors) copies[name] = value.clone();
  return copies;
}

// What a training of the last task leaves.
NamedTensors learned(Model& model, TrainOptions options) {
  auto data = MemoryDataset::clouds(64, 8, 3, 1);
  options.batch_size = 64;
  train(model, data, options);
  return copy(trained_parameters(model, {}).all);
}

}  // namespace

TEST_CASE("shared parameters and the heads of the tasks that are learned are trained, less what is frozen") {
  auto model = with_tasks(Scenario::kTask);
  TrainOptions options;
  const std::vector<std::string> all = {"fc1.bias",   "fc1.weight",   "fc2.bias",
                                        "fc2.weight", "heads/b/bias", "heads/b/weight"};
  CHECK(names(trained_parameters(model, options).all) == all);
  options.layers.frozen = {"fc1", "head.bias"};
  options.layers.lr_factors = {{"head", 10}, {"fc2.bias", 2}};
  const auto some = trained_parameters(model, options);
  CHECK(names(some.all) == std::vector<std::string>{"fc2.bias", "fc2.weight", "heads/b/weight"});
  CHECK(names(some.heads) == std::vector<std::string>{"heads/b/weight"});
  CHECK(some.lr_factors == std::map<std::string, double>{{"fc2.bias", 2}, {"heads/b/weight", 10}});
  options.distill.kind = DistillOptions::Kind::kLwf;  // the old head learns, too, as it always did
  CHECK(trained_parameters(model, options).all.count("heads/a/bias"));
  CHECK(trained_parameters(model, options).lr_factors == some.lr_factors);
}

TEST_CASE("the head that tasks share is a head as well") {
  auto model = with_tasks(Scenario::kDomain);
  TrainOptions options;
  options.layers.lr_factors = {{"head", 10}};
  const auto all = trained_parameters(model, options);
  CHECK(names(all.heads) == std::vector<std::string>{"head.bias", "head.weight"});
  CHECK(all.lr_factors.at("head.weight") == 10);
  options.layers.frozen = {"head"};
  options.warm_up = 1;
  CHECK_THROWS_WITH_AS(trained_parameters(model, options), "mlp:6,5: has no head that --warm-up could train alone",
                       Error);
}

TEST_CASE("a network's own layer that is called head isn't taken for the tasks' head") {
  const auto arch = nlohmann::json::parse(R"({"name": "headed", "input": [8], "layers": [
      {"type": "residual", "name": "head", "layers": [{"type": "linear", "out": 8}]}]})");
  for (const auto scenario : {Scenario::kTask, Scenario::kDomain}) {
    Model model(arch, 3);
    model.add_task(clouds("a", scenario));
    TrainOptions options;
    const auto all = trained_parameters(model, options);
    CHECK(all.heads.size() == 2);
    CHECK(all.all.size() == 4);
    CHECK_FALSE(all.heads.count("head.layers.0.weight"));
    options.layers.frozen = {"head.layers"};
    CHECK(names(trained_parameters(model, options).all) == names(all.heads));
  }
}

TEST_CASE("patience doesn't end a training in its warm-up") {
  TrainState state;
  state.best_epoch = 2;
  state.epoch = 5;
  CHECK(out_of_patience(state, 3));
  CHECK_FALSE(out_of_patience(state, 3, 3));
  state.epoch = 6;
  CHECK(out_of_patience(state, 3, 3));
  CHECK_FALSE(out_of_patience(state, 0, 3));
}

TEST_CASE("frozen layers stay, also where they matter, and a factor scales a step of SGD") {
  TrainOptions options;
  options.epochs = 1;
  options.optimizer.kind = OptimizerOptions::Kind::kSgd;
  options.optimizer.lr = 0.01;
  auto plain = with_tasks(Scenario::kTask), changed = with_tasks(Scenario::kTask);
  const auto before = copy(trained_parameters(plain, {}).all);
  const auto wanted = learned(plain, options);
  for (const auto& [name, value] : changed.shared_parameters())
    changed.file.importance.closed[name] = torch::full(value.sizes(), 0.1);
  changed.file.importance.closed_tasks = 1;
  changed.file.importance.method = "mas";
  changed.file.importance.estimator = "per-sample";
  changed.file.importance.combine = "sum";
  options.layers.frozen = {"fc1"};
  options.layers.lr_factors = {{"head", 10}, {"fc2", 0.5}};
  const auto got = learned(changed, options);  // one step, from where the penalty is 0
  for (const auto& [name, value] : before) {
    CAPTURE(name);
    const double factor = name.rfind("fc1", 0) == 0 ? 0 : name.rfind("fc2", 0) == 0 ? 0.5 : 10;
    CHECK(at::allclose(got.at(name), value + factor * (wanted.at(name) - value), 1e-4, 1e-6));
  }
  CHECK(got.at("fc1.weight").equal(before.at("fc1.weight")));
}

TEST_CASE("in the warm-up the head learns alone, and the optimiser begins anew behind it") {
  for (const auto scenario : {Scenario::kTask, Scenario::kDomain}) {
    TrainOptions options;
    options.epochs = 2;
    options.warm_up = 1;
    auto whole = with_tasks(scenario);
    const auto before = copy(trained_parameters(whole, {}).all);
    const auto end = learned(whole, options);
    // The same by hand: an epoch with all but the head frozen, then one of everything. Epochs' orders don't matter,
    // each being one batch.
    auto parts = with_tasks(scenario);
    options.epochs = 1;
    options.warm_up = 0;
    options.layers.frozen = {"fc1", "fc2"};
    const auto middle = learned(parts, options);
    CHECK(middle.at("fc2.weight").equal(before.at("fc2.weight")));
    options.layers.frozen.clear();
    const auto wanted = learned(parts, options);
    for (const auto& [name, value] : wanted) {
      CAPTURE(name);
      CHECK(at::allclose(end.at(name), value, 1e-4, 1e-6));
      CHECK_FALSE(end.at(name).equal(before.at(name)));
    }
  }
}

TEST_CASE("a learning rate that a factor makes too large for the penalty is refused") {
  Penalty penalty;
  penalty.lambda = 10;
  penalty.omega = {{"a", torch::full({2}, 1.0)}, {"b", torch::full({2}, 3.0)}};
  penalty.anchor = {{"a", torch::zeros({2})}, {"b", torch::zeros({2})}};
  CHECK_NOTHROW(check_stable(penalty, 0.01, 0, 0));
  CHECK_NOTHROW(check_stable(penalty, 0.01, 0, 0, {{"a", 9}, {"b", 3}}));
  CHECK_THROWS_WITH_AS(check_stable(penalty, 0.01, 0, 0, {{"a", 20}}),
                       "--lambda: training would diverge: 2*lambda*lr*omega = 4 in a is above 2; use --penalty-step "
                       "proximal, or --lambda below 5",
                       Error);
  CHECK_THROWS_AS(check_stable({}, 0.01, 0, 30, {{"a", 10}}), Error);
}
