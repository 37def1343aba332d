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

/// Accuracy of a model on one task's test data; empty where the model has no outputs for the task.
std::optional<double> test_accuracy(Model& model, const TaskRecord& task, const OpenOptions& options);

/// A row of /results: {"learned": 2, "accuracy": {"t1": 0.98, "t2": 0.97}}.
void record_result(ModelFile& file, int64_t learned, const std::string& task, double accuracy);

/// The matrix of the rows that a model file carries, a row after each task. `name` is the file, for messages.
AccuracyMatrix recorded_matrix(const Model& model);

}  // namespace mas
