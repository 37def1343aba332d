#pragma once
#include <optional>
#include <string>
#include <vector>

#include "mas/evaluation/matrix.h"
#include "mas/model/accuracy.h"
#include "mas/model/model.h"

namespace mas {

/// Opens the test part of the data that a task was learned on; throws Error where there is none.
std::unique_ptr<Dataset> open_test_data(const TaskRecord& task, const OpenOptions& options);

/// What a cell of the matrix is: accuracy, or in scenario facts the mean average precision of retrieval, of the facts
/// of `data` among the images of `searched`. Both have labels and fit the model.
double measure_cell(Model& model, const TaskRecord& task, Dataset& data, Dataset& searched, const OpenOptions& options);

std::string measure_of(Scenario scenario);  ///< "accuracy" or "mAP"

/// That of a model on one task's test data; empty where the model has no outputs for the task.
std::optional<double> test_accuracy(Model& model, const TaskRecord& task, const OpenOptions& options);

/// A row of /results: {"learned": 2, "accuracy": {"t1": 0.98, "t2": 0.97}}.
void record_result(ModelFile& file, int64_t learned, const std::string& task, double accuracy);

/// One task's accuracy on its test data, or why there is none.
struct TestResult {
  std::string task;
  std::optional<double> accuracy;
  std::string why;
};

/// Measures every task that the model has learned and records what can be measured, so that a pipeline's last model
/// tells what was forgotten. Data that are gone by then are no error: that is what this project is for.
std::vector<TestResult> record_test_results(Model& model, const OpenOptions& options);

/// Before the model's last `tasks` are trained: throws Error where the source of one has a test part of its own that
/// can't be used, as record_test_results() would find out after the training. Decodes no pictures. Returns a line on
/// each task that has none at all.
std::vector<std::string> check_test_data(const Model& model, int64_t tasks, const OpenOptions& options);

/// Before the last task is trained: records how well the model does on it already (R[j-1][j] of forward transfer),
/// which only scenarios domain and facts can tell.
void record_transfer(Model& model, const OpenOptions& options);

/// The matrix of the rows that a model file carries, a row after each task. `name` is the file, for messages.
AccuracyMatrix recorded_matrix(const Model& model);

}  // namespace mas
