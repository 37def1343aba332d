#include "mas/model/sequence.h"

#include "mas/model/architecture.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"
#include "unit/model/task.h"

using namespace mas;
using mas::test::error_of;

namespace {

Model learner(std::vector<TaskRecord> tasks, const std::string& name, const std::string& arch = "mlp:4") {
  Model model(make_architecture(arch, {5}), 1);
  for (const auto& task : tasks) model.add_task(task);
  return {std::move(model.file), name};
}

TaskRecord task(const std::string& name, std::vector<int64_t> classes = {0, 1}, Scenario scenario = Scenario::kTask,
                uint64_t seed = 1) {
  return test::task_record(name, "data", std::move(classes), scenario, seed);
}

}  // namespace

TEST_CASE("tasks are the same where names, scenario and classes are, whatever their data and seeds") {
  const auto model = learner({task("a"), task("b")}, "2.h5");
  auto moved = task("a", {0, 1}, Scenario::kTask, 9);
  moved.data = "elsewhere/data";
  const auto fault = [&](const TaskRecord& first) {
    return error_of([&] { check_same_tasks(learner({first}, "1.h5"), model); });
  };
  CHECK(fault(task("a")).empty());
  CHECK(fault(moved).empty());
  CHECK(fault(task("z")) == "2.h5: learned a where 1.h5 learned z: not the same sequence of tasks");
  CHECK(fault(task("a", {1, 0})) == "2.h5: its task a has other classes than that of 1.h5: not the same task");
  CHECK(fault(task("a", {0, 1}, Scenario::kDomain)) == "2.h5: learned a in scenario task, but 1.h5 in scenario domain");
}

TEST_CASE("a model continues another where it is the same network with more tasks and the same records") {
  const auto model = learner({task("a"), task("b")}, "2.h5");
  const auto fault = [&](const Model& earlier) { return error_of([&] { check_continues(earlier, model); }); };
  CHECK(fault(learner({task("a")}, "1.h5")).empty());
  CHECK(fault(learner({task("a"), task("b")}, "1.h5")) ==
        "2.h5: has learned no more tasks than 1.h5; give the models in the order of learning");
  CHECK(fault(learner({task("a")}, "1.h5", "mlp:5")) == "2.h5: its network isn't that of 1.h5");
  CHECK(fault(learner({task("a", {2, 3})}, "1.h5")) ==
        "2.h5: its task a has other classes than that of 1.h5: not the same task");
  auto other = task("a");
  other.options["lambda"] = 3;
  auto recorded = learner({other}, "1.h5");
  CHECK(fault(recorded) ==
        "2.h5: its record of task a isn't that in 1.h5 (they differ in options); give the models that one chain of "
        "trainings left");
  auto merged = learner({task("a")}, "1.h5");
  merged.file.tasks[0]["later version's"] = 1;
  CHECK(
      fault(merged) ==
      "2.h5: its record of task a isn't that in 1.h5 (they differ in later version's); give the models that one chain "
      "of trainings left");
}
