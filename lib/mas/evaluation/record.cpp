#include "mas/evaluation/record.h"

#include <fmt/format.h>

#include <algorithm>

#include "mas/error.h"
#include "mas/evaluation/retrieval.h"
#include "mas/training/joint.h"

namespace mas {

std::unique_ptr<Dataset> open_test_data(const TaskRecord& task, const OpenOptions& options) {
  DataSpec spec = DataSpec::parse(task.data);
  spec.split = Split::kTest;
  spec.limit.reset();  // a limit is for the samples that are learned
  return open_dataset(spec, options);
}

double measure_cell(Model& model, const TaskRecord& task, Dataset& data, Dataset& searched,
                    const OpenOptions& options) {
  if (task.scenario == Scenario::kFacts) return measure_retrieval(model, task, data, searched, options.scratch).mean();
  return measure_accuracy(model, task, data).fraction();
}

std::string measure_of(Scenario scenario) { return scenario == Scenario::kFacts ? "mAP" : "accuracy"; }

namespace {

std::unique_ptr<Dataset> open_fitting(const Model& model, const TaskRecord& task, const OpenOptions& options) {
  auto data = open_test_data(task, options);
  check_input(model, *data, task.data);
  check_vectors(model, task.scenario, *data, task.data);
  return data;
}

}  // namespace

std::optional<double> test_accuracy(Model& model, const TaskRecord& task, const OpenOptions& options) {
  if (!model.answers(task)) return {};
  const auto data = open_fitting(model, task, options);
  return measure_cell(model, task, *data, *data, options);
}

void record_result(ModelFile& file, int64_t learned, const std::string& task, double accuracy) {
  for (auto& row : file.results) {
    if (!row.is_object() || !row.contains("accuracy") || !row["accuracy"].is_object()) continue;
    if (row.contains("learned") && row["learned"] == learned) {
      row["accuracy"][task] = accuracy;
      return;
    }
  }
  file.results.push_back({{"learned", learned}, {"accuracy", {{task, accuracy}}}});
  const auto order = [](const nlohmann::json& row) {
    return row.is_object() && row.contains("learned") && row["learned"].is_number_integer()
               ? row["learned"].get<int64_t>()
               : 0;
  };
  std::stable_sort(file.results.begin(), file.results.end(),
                   [&](const auto& a, const auto& b) { return order(a) < order(b); });
}

std::vector<TestResult> record_test_results(Model& model, const OpenOptions& options) {
  std::vector<TestResult> results;
  for (const auto& task : model.tasks()) {
    TestResult result{task.name, {}, "the model has no outputs for it"};
    OpenOptions open = options;
    open.make_cache = &task == &model.tasks().back();  // others' are what a file says
    try {
      result.accuracy = test_accuracy(model, task, open);
    } catch (const Error& error) {
      result.why = error.what();
    }
    if (result.accuracy) {
      record_result(model.file, static_cast<int64_t>(model.tasks().size()), task.name, *result.accuracy);
    }
    results.push_back(std::move(result));
  }
  return results;
}

std::vector<std::string> check_test_data(const Model& model, int64_t tasks, const OpenOptions& options) {
  OpenOptions open = options;
  open.make_cache = false;
  std::vector<std::string> remarks;
  for (auto task : last_tasks(model, tasks)) {
    const auto given = DataSpec::parse(task.data);
    if (given.fraction) continue;
    if (!has_test_part(given, open)) {
      if (given.split != Split::kTest)
        remarks.push_back(
            fmt::format("{}: has no test part, so {} won't be tested; split=0.8 keeps a share of it for that",
                        task.data, task.name));
      continue;
    }
    try {
      auto spec = given;
      spec.normalize.clear();  // which may have to be measured over the training part
      task.data = spec.str();
      if (!open_fitting(model, task, open)->has_labels()) throw Error(task.data, "its test part has no labels");
    } catch (const Error& error) {
      throw Error(fmt::format("{}; mend the test part, or leave it out with --no-results", error.what()));
    }
  }
  return remarks;
}

void record_transfer(Model& model, const OpenOptions& options) {
  const auto& task = model.tasks().back();
  if (!shares_outputs(task.scenario) || model.tasks().size() < 2) return;
  try {
    const auto accuracy = test_accuracy(model, task, options);
    if (accuracy) record_result(model.file, static_cast<int64_t>(model.tasks().size()) - 1, task.name, *accuracy);
  } catch (const Error&) {
    // No test data: record_test_results tells why after the training.
  }
}

AccuracyMatrix recorded_matrix(const Model& model) {
  AccuracyMatrix matrix;
  matrix.measure = measure_of(model.tasks().front().scenario);
  for (const auto& task : model.tasks()) matrix.tasks.push_back(task.name);
  try {
    for (const auto& row : model.file.results) {
      const auto learned = row.at("learned").get<int64_t>();
      if (learned < 1 || learned > static_cast<int64_t>(matrix.tasks.size())) {
        throw Error(model.name(),
                    fmt::format("/results has a row after {} tasks, but there are {}", learned, matrix.tasks.size()));
      }
      std::vector<std::optional<double>> cells;
      for (const auto& task : matrix.tasks) {
        const auto& accuracy = row.at("accuracy");
        cells.push_back(accuracy.contains(task) ? std::optional<double>(accuracy.at(task).get<double>())
                                                : std::nullopt);
      }
      matrix.learned.push_back(learned);
      matrix.models.push_back("after " + matrix.tasks[static_cast<size_t>(learned) - 1]);
      matrix.accuracy.push_back(std::move(cells));
    }
  } catch (const nlohmann::json::exception&) {
    throw Error(model.name(), "/results isn't a list of evaluations");
  }
  return matrix;
}

}  // namespace mas
