#include "mas/training/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "mas/error.h"
#include "mas/training/checkpoint.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

using namespace mas;
using mas::test::Scratch;

namespace {

TaskOptions first_task() {
  TaskOptions options;
  options.arch = "mlp:4";
  options.data = {"glyphs,samples=40,classes=0-1"};
  return options;
}

TaskOptions next_task(const std::string& model) {
  TaskOptions options;
  options.model = model;
  options.data = {"glyphs,samples=40,classes=2-3"};
  return options;
}

// A model of one task, with an importance where asked for.
void write_first(const std::string& path, bool importance) {
  auto training = prepare_training(first_task());
  auto& record = training.model.file.importance;
  for (const auto& [name, value] : training.model.shared_parameters()) {
    if (importance) record.sum[name] = at::ones(value.sizes(), at::kDouble);
  }
  if (importance) record.count = record.tasks = 1;
  record.method = importance ? "mas" : "";
  record.estimator = "per-sample";
  record.combine = "sum";
  write_model(training.model.file, path);
}

}  // namespace

TEST_CASE("a first task gets a network that fits its data, and a record with the defaults") {
  auto options = first_task();
  options.seed = 5;
  const auto training = prepare_training(options);
  CHECK(training.model.network().input() == std::vector<int64_t>{1, 28, 28});
  REQUIRE(training.model.tasks().size() == 1);
  const auto& task = training.model.tasks().back();
  CHECK(task.name == "task1");
  CHECK(task.data == "glyphs,classes=0-1,samples=40");
  CHECK(task.classes == std::vector<int64_t>{0, 1});
  CHECK(task.scenario == Scenario::kTask);
  CHECK(task.seed == 5);
  CHECK(training.options.optimizer.lr == 1e-3);
  CHECK(training.options.lambda == 0);
  CHECK(task.options == to_json(training.options));
  CHECK(training.remarks.empty());
  options.train.optimizer.kind = OptimizerOptions::Kind::kSgd;
  CHECK(prepare_training(options).options.optimizer.lr == 1e-2);
}

TEST_CASE("which weights a network began with stands in its record") {
  const Scratch folder;
  const auto begun = [&](uint64_t seed, const std::string& init) {
    auto options = first_task();
    options.seed = seed;
    options.init = init;
    return prepare_training(options).model;
  };
  for (const uint64_t seed : {1, 2}) write_model(begun(seed, "").file, folder / fmt::format("{}.h5", seed));
  const auto first = begun(3, folder / "1.h5"), again = begun(4, folder / "1.h5"), other = begun(3, folder / "2.h5");
  CHECK(first.file.weights.at("fc1.weight").equal(again.file.weights.at("fc1.weight")));
  CHECK(first.tasks()[0].options["init"].get<std::string>().size() == 32);
  CHECK(first.tasks()[0].options == again.tasks()[0].options);
  CHECK(first.tasks()[0].options != other.tasks()[0].options);
  CHECK(!begun(3, "").tasks()[0].options.contains("init"));
}

TEST_CASE("a task on the test part is remarked on") {
  auto options = first_task();
  options.data.front() += ",split=test";
  const auto training = prepare_training(options);
  REQUIRE(training.remarks.size() == 1);
  CHECK(test::contains(training.remarks[0], "tested on what it learns"));
}

TEST_CASE("a later task is weighed by the importance that the model has, or said to be unprotected") {
  const Scratch folder;
  write_first(folder / "bare.h5", false);
  write_first(folder / "important.h5", true);
  const auto bare = prepare_training(next_task(folder / "bare.h5"));
  CHECK(bare.options.lambda == 0);
  REQUIRE(bare.remarks.size() == 1);
  CHECK(test::contains(bare.remarks[0], "task task1 has no importance"));
  const auto important = prepare_training(next_task(folder / "important.h5"));
  CHECK(important.options.lambda == 1);
  CHECK(important.remarks.empty());
  CHECK(important.model.tasks().back().name == "task2");
  auto proximal = next_task(folder / "important.h5");
  proximal.penalty_step = PenaltyStep::kProximal;
  CHECK(prepare_training(proximal).options.lambda == 1 / 1e-3);
  proximal.lr = 0.5;
  CHECK(prepare_training(proximal).options.lambda == 2);
  proximal.train.optimizer.kind = OptimizerOptions::Kind::kSgd;  // multiplies the penalty's gradient by lr itself
  CHECK(prepare_training(proximal).options.lambda == 1);
  auto options = next_task(folder / "bare.h5");
  options.lambda = 3;
  CHECK(test::contains(test::error_of([&] { prepare_training(options); }), "--lambda has nothing to weigh"));
}

TEST_CASE("distillation takes the penalty's place, and needs earlier tasks") {
  const Scratch folder;
  write_first(folder / "important.h5", true);
  auto options = next_task(folder / "important.h5");
  options.train.distill.kind = DistillOptions::Kind::kLwf;
  CHECK(prepare_training(options).options.lambda == 0);
  CHECK(prepare_training(options).remarks.empty());
  options.lambda = 3;
  CHECK(prepare_training(options).options.lambda == 3);
  options.open.scratch = "/some/folder";
  CHECK(prepare_training(options).options.scratch == "/some/folder");
  auto first = first_task();
  first.train.distill.kind = DistillOptions::Kind::kLwf;
  CHECK(test::contains(test::error_of([&] { prepare_training(first); }), "--distill: keeps what earlier tasks taught"));
  options.data.push_back("glyphs,samples=40,classes=4-5");
  CHECK(test::contains(test::error_of([&] { prepare_training(options); }), "--distill: is for one task at a time"));
}

TEST_CASE("a code is as large as the task's before, and smaller than the features") {
  const Scratch folder;
  write_first(folder / "bare.h5", false);
  auto options = next_task(folder / "bare.h5");
  CHECK(prepare_training(options).options.code == 0);
  options.train.distill.kind = DistillOptions::Kind::kEbll;
  CHECK(test::contains(test::error_of([&] { prepare_training(options); }), "task task1 has no encoder"));
  auto file = read_model(folder / "bare.h5");
  file.encoders["task1"] = new_linear(3, 4, 1);
  write_model(file, folder / "bare.h5");
  CHECK(prepare_training(options).options.code == 3);
  options.code = 2;
  CHECK(prepare_training(options).options.code == 2);
  options.code = 0;
  CHECK(prepare_training(options).options.code == 0);
  options.code = 4;
  CHECK(test::contains(test::error_of([&] { prepare_training(options); }), "has to be smaller than the 4 features"));
}

TEST_CASE("the names of tasks fit a line and differ") {
  const auto said = [](std::vector<std::string> names) {
    auto options = first_task();
    options.data.resize(names.size(), options.data.front());
    options.names = std::move(names);
    return test::error_of([&] { prepare_training(options); });
  };
  CHECK(said({"caf\xc3\xa9 1"}).empty());
  CHECK(said({"a\nb"}) == "--task: has control characters: a?b");
  CHECK(said({"\x1b[1m"}) == "--task: has control characters: ?[1m");
  CHECK(said({"a", "a"}) == "--task: a is given twice; each --data is a task of its own");
}

TEST_CASE("what a checkpoint says is held to what the command line is") {
  const Scratch folder;
  write_first(folder / "important.h5", true);
  auto begun = prepare_training(next_task(folder / "important.h5"));
  const std::string checkpoint = folder / "ck.h5";
  train(begun.model, *begun.data, begun.options, checkpoint);
  const auto said = [&](const std::function<void(ModelFile&)>& change) {
    auto file = read_model(checkpoint);
    change(file);
    write_model(file, folder / "changed.h5");
    TaskOptions again;
    again.resume = folder / "changed.h5";
    const auto error = test::error_of([&] { prepare_training(again); });
    return error.substr(std::min(error.size(), again.resume.size()));
  };
  CHECK(said([](auto&) {}).empty());
  CHECK(said([](auto& file) { file.importance = {}; }) == ": /importance, which /tasks weighs by lambda 1, is missing");
  CHECK(said([](auto& file) { file.tasks.back()["options"]["code"] = 4; }) ==
        ": /tasks: --code: a code of 4 has to be smaller than the 4 features of " + (folder / "changed.h5") +
            "; give a smaller one");
}

TEST_CASE("a checkpoint isn't resumed on data that have changed") {
  const Scratch folder;
  auto options = first_task();
  options.data = {folder / "a.csv"};
  test::put(options.data.front(), "1,2,0\n3,4,1\n");
  auto begun = prepare_training(options);
  struct Interrupted {};
  TrainCallbacks callbacks;
  callbacks.epoch = [](const EpochReport& report) {
    if (report.epoch == 2) throw Interrupted{};
  };
  CHECK_THROWS_AS(train(begun.model, *begun.data, begun.options, folder / "ck.h5", callbacks), Interrupted);
  TaskOptions again;
  again.resume = folder / "ck.h5";
  CHECK_NOTHROW(prepare_training(again));
  test::put(options.data.front(), "1,2,0\n3,5,1\n");
  CHECK(test::contains(test::error_of([&] { prepare_training(again); }), "isn't what"));
}

TEST_CASE("a checkpoint brings its task, its data and its options") {
  const Scratch folder;
  auto options = first_task();
  options.train.epochs = 7;
  auto begun = prepare_training(options);
  const std::string checkpoint = folder / "ck.h5";
  struct Interrupted {};
  TrainCallbacks callbacks;
  callbacks.epoch = [](const EpochReport& report) {
    if (report.epoch == 2) throw Interrupted{};
  };
  CHECK_THROWS_AS(train(begun.model, *begun.data, begun.options, checkpoint, callbacks), Interrupted);
  TaskOptions again;
  again.resume = checkpoint;
  const auto resumed = prepare_training(again);
  CHECK(resumed.options.epochs == 7);
  CHECK(resumed.data->size() == begun.data->size());
  CHECK(resumed.model.tasks().size() == 1);
  CHECK(has_state(resumed.model.file));
  CHECK(test::contains(test::error_of([&] { prepare_training(next_task(checkpoint)); }), "is a checkpoint"));
}
