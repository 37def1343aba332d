#include "mas/training/joint.h"

#include <cstdio>
#include <filesystem>
#include <limits>

#include "mas/error.h"
#include "mas/model/architecture.h"
#include "mas/training/trainer.h"
#include "unit/io/scratch.h"
#include "unit/memory_dataset.h"
#include "unit/model/task.h"

using namespace mas;

namespace {

TaskRecord task(const std::string& name, std::vector<int64_t> classes, Scenario scenario) {
  return test::task_record(name, "clouds", std::move(classes), scenario, 2);
}

// Before these tasks another one was learned.
Model learner(Scenario scenario) {
  Model model(make_architecture("mlp:6", {4}), 3);
  model.add_task(task("before", {8, 9}, scenario));
  model.add_task(task("a", {0, 1}, scenario));
  model.add_task(
      task("b", scenario == Scenario::kDomain ? std::vector<int64_t>{5, 3} : std::vector<int64_t>{5, 3, 1}, scenario));
  return model;
}

std::unique_ptr<Dataset> part(int64_t samples, std::vector<int64_t> labels, uint64_t seed) {
  auto data = MemoryDataset::clouds(samples, 4, static_cast<int64_t>(labels.size()), seed);
  std::vector<int64_t> rows(static_cast<size_t>(samples));
  for (size_t i = 0; i < rows.size(); i++) rows[i] = static_cast<int64_t>(i);
  return std::make_unique<MemoryDataset>(data.images(rows),
                                         at::tensor(labels, at::kLong).index_select(0, data.labels(rows)));
}

std::unique_ptr<Dataset> joined(const Model& model) {
  std::vector<std::unique_ptr<Dataset>> parts;
  parts.push_back(part(90, {0, 1}, 1));
  parts.push_back(part(60, model.tasks().back().classes, 2));
  return join(std::move(parts), model);
}

}  // namespace

TEST_CASE("there are no more last tasks than tasks") {
  const auto model = learner(Scenario::kTask);
  const auto last = last_tasks(model, 2);
  REQUIRE(last.size() == 2);
  CHECK(last[0].name == "a");
  CHECK(last[1].name == "b");
  for (const int64_t count : {-1, 0, 4}) CHECK_THROWS_AS(last_tasks(model, count), Error);
}

TEST_CASE("data of several tasks are one set, in any order of its rows") {
  const auto model = learner(Scenario::kTask);
  auto first = part(90, {0, 1}, 1), second = part(60, {5, 3, 1}, 2);
  const auto all = joined(model);
  CHECK(all->size() == 150);
  CHECK(all->classes() == std::vector<int64_t>{0, 1, 2, 3, 4});
  const std::vector<int64_t> rows{149, 0, 90, 89, 0, 92};
  const auto images = all->images(rows), targets = all->labels(rows);
  for (size_t i = 0; i < rows.size(); i++) {
    const bool of_first = rows[i] < 90;
    const int64_t row = of_first ? rows[i] : rows[i] - 90;
    auto& source = of_first ? *first : *second;
    const auto at = static_cast<int64_t>(i);
    CHECK(images[at].equal(source.images({row})[0]));
    const int64_t label = source.labels({row})[0].item<int64_t>();
    const int64_t target = of_first ? label : label == 5 ? 2 : label == 3 ? 3 : 4;
    CHECK(targets[at].item<int64_t>() == target);
  }
}

TEST_CASE("facts of several tasks keep their own vectors") {
  const std::vector<std::string> specs{"facts,batch=B1,pictures=5", "facts,batch=B2,pictures=5"};
  const auto opened = [&] {
    std::vector<std::unique_ptr<Dataset>> parts;
    for (const auto& spec : specs) parts.push_back(open_dataset(DataSpec::parse(spec), {}));
    return parts;
  };
  auto parts = opened();
  Model model(with_own_outputs(make_architecture("mlp:6", {3, 32, 32}), 48), 3);
  for (size_t i = 0; i < specs.size(); i++)
    model.add_task(test::task_record(specs[i], specs[i], parts[i]->classes(), Scenario::kFacts, 2));
  const auto all = join(opened(), model);
  const auto first = parts[0]->size();
  REQUIRE(all->size() == first + parts[1]->size());
  const std::vector<int64_t> rows{first + 7, 0, first - 1, first, 3};
  const auto targets = all->labels(rows);
  for (size_t i = 0; i < rows.size(); i++) {
    const size_t part = rows[i] < first ? 0 : 1;
    CHECK(part_of(*all, rows[i]) == part);
    const auto label = parts[part]->labels({rows[i] - (part == 0 ? 0 : first)});
    const auto own = model.targets(label, model.tasks()[part])[0];
    const auto target = targets[static_cast<int64_t>(i)].item<int64_t>();
    const auto with = all->class_vectors()[target], without = parts[part]->class_vectors()[own.item<int64_t>()];
    CHECK(with.nan_to_num(-9).equal(without.nan_to_num(-9)));
  }
}

TEST_CASE("what is wrong with the data of one task is said of these") {
  Model model(make_architecture("mlp:6", {4}), 3);
  model.add_task(test::task_record("a", "good", {0, 1}, Scenario::kDomain, 2));
  model.add_task(test::task_record("b", "bad", {0, 1}, Scenario::kDomain, 2));
  model.add_task(test::task_record("c", "better", {0, 1}, Scenario::kDomain, 2));
  const auto data = [&](double value) {
    std::vector<std::unique_ptr<Dataset>> parts;
    for (const uint64_t seed : {1, 2, 3}) {
      const auto images = torch::randn({4, 4});
      if (seed == 2) images[3][0] = value;
      parts.push_back(std::make_unique<MemoryDataset>(images, torch::tensor({0, 1, 0, 1}, at::kLong)));
    }
    return join(std::move(parts), model);
  };
  const auto all = data(0);
  CHECK(part_of(*all, 0) == 0);
  CHECK(part_of(*all, 3) == 0);
  CHECK(part_of(*all, 4) == 1);
  CHECK(part_of(*all, 11) == 2);
  TrainOptions options;
  options.joint = 3;
  const auto said = [&](double value) { return test::error_of([&] { train(model, *data(value), options); }); };
  CHECK(said(std::numeric_limits<double>::quiet_NaN()) == "bad: holds a value that isn't finite");
  options.validation = 0.01;
  CHECK(said(0) == "good and bad and better: 12 samples can't be split with --validation 0.01");
}

TEST_CASE("the joint loss is the mean of each sample's own task's") {
  for (const auto scenario : {Scenario::kTask, Scenario::kDomain, Scenario::kClass}) {
    auto model = learner(scenario);
    const auto all = joined(model);
    const JointTasks tasks(model, 2);
    const std::vector<int64_t> rows{3, 100, 20, 91, 148, 50};
    auto weight = model.file.weights.at("fc1.weight");
    weight.set_requires_grad(true);
    const auto targets = all->labels(rows);
    const auto loss = at::cross_entropy_loss(tasks.outputs(model, all->images(rows), targets), targets);
    const auto gradient = torch::autograd::grad({loss}, {weight})[0];
    // One sample at a time, through its own task alone.
    auto first = part(90, {0, 1}, 1), second = part(60, model.tasks().back().classes, 2);
    at::Tensor want = at::zeros({});
    for (const int64_t row : rows) {
      auto& source = row < 90 ? *first : *second;
      const int64_t own = row < 90 ? row : row - 90;
      const auto& record = model.task(row < 90 ? "a" : "b");
      want = want + at::cross_entropy_loss(model.forward(source.images({own}), record),
                                           model.targets(source.labels({own}), record)) /
                        static_cast<double>(rows.size());
    }
    CHECK(loss.item<double>() == doctest::Approx(want.item<double>()).epsilon(1e-6));
    CHECK((gradient - torch::autograd::grad({want}, {weight})[0]).abs().max().item<double>() < 1e-6);
    weight.set_requires_grad(false);
  }
}

TEST_CASE("joint training learns all its tasks at once, and goes on bit for bit") {
  const auto path = (std::filesystem::temp_directory_path() / "mas_joint_test.h5").string();
  auto model = learner(Scenario::kTask);
  const auto all = joined(model);
  TrainOptions options;
  options.joint = 2;
  options.epochs = 30;
  options.batch_size = 16;
  options.validation = 0.2;
  options.patience = 30;
  options.optimizer.lr = 0.02;
  const auto untouched = model.file.heads.at("before").at("weight").clone();
  std::vector<EpochReport> reports;
  TrainCallbacks callbacks;
  callbacks.epoch = [&](const EpochReport& r) { reports.push_back(r); };
  train(model, *all, options, "", callbacks);
  CHECK(reports.back().accuracy > 0.9);
  CHECK(*reports.back().validation > 0.8);
  auto first = part(90, {0, 1}, 1), second = part(60, {5, 3, 1}, 2);
  CHECK(measure_accuracy(model, model.task("a"), *first).fraction() > 0.9);
  CHECK(measure_accuracy(model, model.task("b"), *second).fraction() > 0.9);
  CHECK(model.file.heads.at("before").at("weight").equal(untouched));
  CHECK(parse_train_options(to_json(options), "x.h5").joint == 2);

  struct Interrupted {};
  callbacks.epoch = [](const EpochReport& r) {
    if (r.epoch == 3) throw Interrupted{};
  };
  auto begun = learner(Scenario::kTask);
  CHECK_THROWS_AS(train(begun, *all, options, path, callbacks), Interrupted);
  Model again(read_model(path), path);
  train(again, *all, options);
  CHECK(serialize_model(again.file) == serialize_model(model.file));
  std::remove(path.c_str());
}
