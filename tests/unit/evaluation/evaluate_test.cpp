#include "mas/evaluation/evaluate.h"

#include "mas/error.h"
#include "mas/evaluation/record.h"
#include "mas/model/architecture.h"
#include "mas/training/options.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"
#include "unit/model/task.h"

using namespace mas;

namespace {

TaskRecord task(const std::string& name, const std::string& data, std::vector<int64_t> classes,
                Scenario scenario = Scenario::kTask) {
  return test::task_record(name, data, std::move(classes), scenario, 7);
}

// Untrained: what it answers doesn't matter here, only that it is counted right.
Model two_tasks(Scenario scenario = Scenario::kTask) {
  Model model(make_architecture("mlp:8", {1, 28, 28}), 7);
  model.add_task(task("early", "glyphs,samples=300,classes=0-2", {0, 1, 2}, scenario));
  model.add_task(task("late", "glyphs,samples=300,classes=3-5", {3, 4, 5}, scenario));
  return model;
}

// The same two as trained `together` at a time.
Model trained_at_once(int64_t together, Scenario scenario = Scenario::kTask) {
  Model model(make_architecture("mlp:8", {1, 28, 28}), 8);
  TrainOptions options;
  options.joint = together;
  const auto records = two_tasks(scenario).tasks();
  for (auto record : records) {
    record.options = to_json(options);
    model.add_task(record);
  }
  return model;
}

// Right answers one image at a time.
double accuracy(Model& model, const TaskRecord& task) {
  at::NoGradGuard off;
  model.train(false);
  const auto data = open_test_data(task, {});
  int64_t right = 0;
  for (int64_t row = 0; row < data->size(); row++) {
    const auto y = model.forward(data->images(row), task);
    const auto guess = task.classes.at(static_cast<size_t>(y.argmax(1).item<int64_t>()));
    right += guess == data->labels(row).item<int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(data->size());
}

}  // namespace

TEST_CASE("test data are the test part, and a limit on training doesn't cut them") {
  const auto all = open_test_data(task("a", "glyphs,samples=300", {}), {});
  CHECK(open_test_data(task("a", "glyphs,samples=300,limit=5", {}), {})->size() == all->size());
  CHECK_THROWS_AS(open_test_data(task("a", "no-such-set", {}), {}), Error);
}

TEST_CASE("each task is measured with its own head") {
  auto model = two_tasks();
  for (const auto& t : model.tasks()) CHECK(*test_accuracy(model, t, {}) == doctest::Approx(accuracy(model, t)));
}

TEST_CASE("a task that learned the test part is said to be tested on it") {
  std::vector<Model> models;
  models.emplace_back(make_architecture("mlp:8", {1, 28, 28}), 7);
  models[0].add_task(task("seen", "glyphs,samples=300,classes=0-2,split=test", {0, 1, 2}));
  const auto matrix = evaluate_tasks(models, {});
  REQUIRE(matrix.notes.size() == 1);
  CHECK(matrix.notes[0] == "seen: tested on what it learned, glyphs,samples=300,classes=0-2,split=test");
}

TEST_CASE("a network whose outputs aren't finite answers nothing, though an accuracy was recorded") {
  std::vector<Model> models;
  models.push_back(two_tasks());
  record_result(models[0].file, 2, "early", 0.9);
  models[0].file.weights.at("fc1.weight").fill_(3e38);
  CHECK_THROWS_WITH_AS(evaluate_tasks(models, {}),
                       "mlp:8: its outputs for task early aren't all finite, so it has no answers", NotFinite);
}

TEST_CASE("in scenario class a model that didn't learn a task has no accuracy on it") {
  Model first(make_architecture("mlp:8", {1, 28, 28}), 7);
  first.add_task(task("early", "glyphs,samples=300,classes=0-2", {0, 1, 2}, Scenario::kClass));
  auto both = two_tasks(Scenario::kClass);
  CHECK(!test_accuracy(first, both.tasks()[1], {}));
  CHECK(test_accuracy(first, both.tasks()[0], {}));
  CHECK(*test_accuracy(both, both.tasks()[1], {}) >= 0);
}

TEST_CASE("results are kept a row for each number of tasks, in order, and replace their own") {
  ModelFile file;
  record_result(file, 2, "a", 0.5);
  record_result(file, 1, "a", 0.25);
  record_result(file, 2, "b", 0.75);
  record_result(file, 2, "a", 1.0);
  CHECK(file.results == nlohmann::json::parse(R"([{"learned": 1, "accuracy": {"a": 0.25}},
                                                  {"learned": 2, "accuracy": {"a": 1.0, "b": 0.75}}])"));
}

TEST_CASE("what can't be tested is told, not an error") {
  auto model = two_tasks();
  model.file.tasks[0]["data"] = "gone";
  Model again(std::move(model.file), "m.h5");
  const auto results = record_test_results(again, {});
  REQUIRE(results.size() == 2);
  CHECK(!results[0].accuracy);
  CHECK(results[0].why.find("gone: not found") == 0);
  CHECK(*results[1].accuracy == doctest::Approx(accuracy(again, again.tasks()[1])));
  const auto recorded = recorded_matrix(again);
  REQUIRE(recorded.accuracy.size() == 1);
  CHECK(!recorded.accuracy[0][0]);
  CHECK(*recorded.accuracy[0][1] == *results[1].accuracy);
}

TEST_CASE("one model: recorded rows, its own measured anew, or quoted with a note") {
  auto model = two_tasks();
  record_result(model.file, 1, "early", 0.125);
  record_result(model.file, 2, "late", 0.5);
  std::vector<Model> models;
  models.push_back(std::move(model));
  std::vector<int64_t> cells;
  const auto matrix = evaluate_tasks(models, {}, [&](int64_t done, int64_t) { cells.push_back(done); });
  CHECK(matrix.learned == std::vector<int64_t>{1, 2});
  CHECK(*matrix.accuracy[0][0] == 0.125);
  CHECK(!matrix.accuracy[0][1]);
  for (size_t j = 0; j < 2; j++)
    CHECK(*matrix.accuracy[1][j] == doctest::Approx(accuracy(models[0], models[0].tasks()[j])));
  CHECK(matrix.notes.empty());
  CHECK(cells == std::vector<int64_t>{0, 1, 2});

  models[0].file.tasks[1]["data"] = "gone";
  models[0] = Model(std::move(models[0].file), "m.h5");
  const auto quoted = evaluate_tasks(models, {});
  CHECK(*quoted.accuracy[1][1] == 0.5);
  REQUIRE(quoted.notes.size() == 1);
  CHECK(quoted.notes[0].find("late: as recorded, it can't be measured again: gone: not found") == 0);
  models[0].file.results = nlohmann::json::array();
  const auto unknown = evaluate_tasks(models, {});
  CHECK(!unknown.accuracy.back()[1]);
  CHECK(!measure(unknown).acc);
  CHECK(unknown.notes.at(0).find("late: can't be measured: gone: not found") == 0);
  models[0].file.tasks[0]["data"] = "gone";
  models[0] = Model(std::move(models[0].file), "m.h5");
  CHECK_THROWS_AS(evaluate_tasks(models, {}), Error);
}

TEST_CASE("forward transfer is against the network before its first step") {
  auto model = two_tasks(Scenario::kDomain);
  std::vector<Model> models;
  models.push_back(std::move(model));
  const auto matrix = evaluate_tasks(models, {});
  REQUIRE(matrix.untrained.size() == 2);
  for (size_t j = 0; j < 2; j++) CHECK(*matrix.untrained[j] == *matrix.accuracy.back()[j]);  // this one is untrained
}

TEST_CASE("models of one sequence open together, others don't") {
  const mas::test::Scratch scratch;
  auto both = two_tasks();
  write_model(both.file, scratch / "both.h5");
  Model other(make_architecture("mlp:8", {1, 28, 28}), 7);
  CHECK_THROWS_WITH_AS((write_model(other.file, scratch / "none.h5"), open_models({scratch / "none.h5"})),
                       doctest::Contains("none.h5: has learned no task"), Error);
  other.add_task(task("other", "glyphs", {0, 1}));
  write_model(other.file, scratch / "other.h5");
  CHECK(open_models({scratch / "both.h5", scratch / "both.h5"}).size() == 2);
  CHECK_THROWS_WITH_AS(open_models({scratch / "both.h5", scratch / "other.h5"}),
                       doctest::Contains("not the same sequence of tasks"), Error);
}

TEST_CASE("models are compared with the one that learned most, not with their neighbours") {
  const mas::test::Scratch scratch;
  Model short_one(make_architecture("mlp:8", {1, 28, 28}), 7);
  short_one.add_task(task("early", "glyphs", {0, 1, 2}));
  auto one = two_tasks(), other = two_tasks();
  other.file.tasks[1]["classes"] = {7, 8, 9};
  write_model(one.file, scratch / "one.h5");
  write_model(short_one.file, scratch / "short.h5");
  write_model(other.file, scratch / "other.h5");
  CHECK_THROWS_WITH_AS(open_models({scratch / "one.h5", scratch / "short.h5", scratch / "other.h5"}),
                       doctest::Contains("other.h5: its task late has other classes than that of"), Error);
}

TEST_CASE("the joint model is measured on each task, in the matrix's order") {
  auto joint = trained_at_once(2);
  const auto tasks = two_tasks().tasks();
  const std::vector<TaskRecord> columns{tasks[1], tasks[0]};
  check_joint(joint, columns);
  AccuracyMatrix matrix;
  measure_joint(matrix, joint, columns, {});
  REQUIRE(matrix.joint.size() == 2);
  CHECK(*matrix.joint[0] == doctest::Approx(accuracy(joint, joint.tasks()[1])));
  CHECK(*matrix.joint[1] == doctest::Approx(accuracy(joint, joint.tasks()[0])));
}

TEST_CASE("a model that didn't learn the matrix's tasks at once is no joint model") {
  const auto tasks = two_tasks().tasks();
  CHECK_THROWS_WITH_AS(check_joint(trained_at_once(1), tasks), doctest::Contains("didn't learn early together"), Error);
  auto later = trained_at_once(2);
  auto third = task("third", "glyphs", {6, 7});
  third.options = to_json(TrainOptions{});
  later.add_task(third);
  CHECK_THROWS_WITH_AS(check_joint(later, tasks), doctest::Contains("didn't learn early together"), Error);
  auto more = tasks;
  more.push_back(third);
  CHECK_THROWS_WITH_AS(check_joint(trained_at_once(2), more), doctest::Contains("has no task third"), Error);
  auto unknown = tasks;
  unknown[1].name = "other";
  CHECK_THROWS_WITH_AS(check_joint(trained_at_once(2), unknown), doctest::Contains("has no task other"), Error);
  auto other_classes = tasks;
  other_classes[1].classes = {5, 4, 3};
  CHECK_THROWS_WITH_AS(check_joint(trained_at_once(2), other_classes), doctest::Contains("its task late is of another"),
                       Error);
  CHECK_THROWS_WITH_AS(check_joint(trained_at_once(2, Scenario::kDomain), tasks),
                       doctest::Contains("its task early is of another scenario"), Error);
  CHECK_THROWS_WITH_AS(check_joint(trained_at_once(2, Scenario::kClass), two_tasks(Scenario::kClass).tasks()),
                       doctest::Contains("intransigence can't be told"), Error);
}

TEST_CASE("rows of nonsense are refused by name") {
  auto model = two_tasks();
  model.file.results = nlohmann::json::parse(R"([{"learned": 3, "accuracy": {}}])");
  CHECK_THROWS_WITH_AS(recorded_matrix(model), doctest::Contains("/results has a row after 3 tasks, but there are 2"),
                       Error);
  model.file.results = nlohmann::json::parse(R"(["row"])");
  CHECK_THROWS_WITH_AS(recorded_matrix(model), doctest::Contains("/results isn't a list of evaluations"), Error);
}
