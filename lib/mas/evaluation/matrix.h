#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace mas {

/// Accuracies R[i][j], fractions: of model i on task j. A cell is empty where it was not or cannot be measured. In
/// scenario facts they are mean average precisions (retrieval.h).
struct AccuracyMatrix {
  std::string measure = "accuracy";  ///< or "mAP"
  std::vector<std::string> tasks;    ///< columns, in the order of learning
  std::vector<std::string> models;   ///< rows: what each is called
  /// How many tasks each row's model had learned: row i of the formulas is the one after i tasks.
  std::vector<int64_t> learned;
  std::vector<std::vector<std::optional<double>>> accuracy;
  /// b_j of FWT: an untrained network's accuracy on task j; empty where it wasn't measured.
  std::vector<std::optional<double>> untrained;
  /// joint_j of intransigence: the accuracy on task j of a model that learned all tasks at once; empty without one.
  std::vector<std::optional<double>> joint;
  /// What a reader has to know: a line for each cell that is quoted, not measured, and why.
  std::vector<std::string> notes;
};

/// The measures of continual learning; each empty where the matrix lacks a cell that its formula needs.
struct Measures {
  std::optional<double> acc, bwt, fwt, forgetting;
  std::vector<std::optional<double>> drop;           ///< a task each: R[j][j] − R[T][j]
  std::optional<double> mean_drop;                   ///< over the tasks before the last
  std::vector<std::optional<double>> intransigence;  ///< a task each: joint_j − R[j][j]; empty without a joint model
  std::optional<double> mean_intransigence;          ///< over all tasks
};

/// The last row is R[T] and has to be of a model that learned every task for the measures that look back; rows of fewer
/// tasks give R[j].
Measures measure(const AccuracyMatrix& matrix);

/// ACC along the sequence, a row each: the mean over the tasks that its model had learned; empty where one of them has
/// no accuracy.
std::vector<std::optional<double>> acc_along(const AccuracyMatrix& matrix);

/// Name of a measure -> its formula, as printed and as in the JSON object.
const std::map<std::string, std::string>& measure_definitions();

/// An array, null for what is empty.
nlohmann::json to_values(const std::vector<std::optional<double>>& cells);
/// The object of `mas-eval --json` (man page mas-eval, JSON).
nlohmann::json to_json(const AccuracyMatrix& matrix, const Measures& measures);
/// A header and a line a model; fractions with six digits, empty where there is no value.
std::string to_csv(const AccuracyMatrix& matrix);

}  // namespace mas
