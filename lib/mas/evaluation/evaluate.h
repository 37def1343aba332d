#pragma once
#include <functional>
#include <string>
#include <vector>

#include "mas/data/dataset.h"
#include "mas/evaluation/matrix.h"
#include "mas/model/model.h"

namespace mas {

/// Called after each cell of a matrix: how many are done, of how many.
using EvaluationProgress = std::function<void(int64_t done, int64_t total)>;

/// Reads models that learned the same sequence of tasks (check_same_tasks()), in the order given. Throws Error naming
/// the file.
std::vector<Model> open_models(const std::vector<std::string>& paths);

/// The tasks of the model that learned most: the columns of the matrix.
const std::vector<TaskRecord>& all_tasks(const std::vector<Model>& models);

/// Measures each model on the test data of all_tasks(). With a single model the rows that travel in its file come
/// first, and its own row is measured anew, or taken as recorded, or left empty, with a note, where a task's data can't
/// be had. Throws Error where that leaves no accuracy of it at all.
AccuracyMatrix evaluate_tasks(std::vector<Model>& models, const OpenOptions& options,
                              const EvaluationProgress& progress = {});

/// Throws Error naming `joint` where it didn't learn all these tasks at once (training/joint.h), or in scenario class,
/// where a model of all tasks answers another question than one of the first j.
void check_joint(const Model& joint, const std::vector<TaskRecord>& tasks);
/// Measures such a model on the test data of these tasks, the matrix's columns, for intransigence.
void measure_joint(AccuracyMatrix& matrix, Model& joint, const std::vector<TaskRecord>& tasks,
                   const OpenOptions& options);

/// One column: each model's running task on the data that `spec` names, which need labels; on their test part where
/// they have one and the spec names none. Of facts the images are searched for among those of `among`, opened in the
/// same way; "": among their own.
AccuracyMatrix evaluate_data(std::vector<Model>& models, const std::string& spec, const std::string& among,
                             const OpenOptions& options, const EvaluationProgress& progress = {});

/// Puts the matrix's rows into /results, so that they travel with the file.
void record_matrix(ModelFile& file, const AccuracyMatrix& matrix);

}  // namespace mas
