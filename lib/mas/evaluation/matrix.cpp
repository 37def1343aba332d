#include "mas/evaluation/matrix.h"

#include <fmt/format.h>

#include <algorithm>

#include "mas/line.h"
#include "mas/text.h"

namespace mas {
namespace {

using Cell = std::optional<double>;

// The last row of a model that had learned `count` tasks.
const std::vector<Cell>* row_after(const AccuracyMatrix& matrix, int64_t count) {
  for (size_t i = matrix.models.size(); i-- > 0;) {
    if (matrix.learned[i] == count) return &matrix.accuracy[i];
  }
  return nullptr;
}

Cell cell_after(const AccuracyMatrix& matrix, int64_t count, size_t task) {
  const auto* row = row_after(matrix, count);
  return row ? (*row)[task] : Cell{};
}

// The mean where every term is there and there is one.
Cell mean(const std::vector<Cell>& terms) {
  double sum = 0;
  for (const auto& term : terms) {
    if (!term) return {};
    sum += *term;
  }
  return terms.empty() ? Cell{} : sum / static_cast<double>(terms.size());
}

Cell difference(const Cell& a, const Cell& b) {
  if (!a || !b) return {};
  return *a - *b;
}

nlohmann::json to_value(const Cell& cell) { return cell ? nlohmann::json(*cell) : nlohmann::json(nullptr); }

}  // namespace

const std::map<std::string, std::string>& measure_definitions() {
  static const std::map<std::string, std::string> definitions{
      {"acc", "mean over tasks j of R[T][j]"},
      {"bwt", "mean over j < T of R[T][j] - R[j][j] (Lopez-Paz & Ranzato 2017, eq. 3)"},
      {"fwt", "mean over j > 1 of R[j-1][j] - b[j], b: an untrained network (Lopez-Paz & Ranzato 2017, eq. 4)"},
      {"forgetting", "mean over j < T of max over l < T of R[l][j], minus R[T][j] (Chaudhry et al. 2018)"},
      {"drop", "R[j][j] - R[T][j] of each task j"},
      {"mean_drop", "mean of the drop over j < T (-BWT)"},
      {"intransigence",
       "joint[j] - R[j][j] of each task j, joint: one model of all T tasks (Chaudhry et al. 2018: of tasks 1 to j)"},
      {"mean_intransigence", "mean over tasks j of the intransigence"},
  };
  return definitions;
}

Measures measure(const AccuracyMatrix& matrix) {
  Measures measures;
  if (matrix.accuracy.empty()) return measures;
  const size_t tasks = matrix.tasks.size();
  const auto& last = matrix.accuracy.back();
  if (matrix.learned.back() != static_cast<int64_t>(tasks)) return measures;  // not R[T]
  measures.acc = mean(last);
  std::vector<Cell> kept, gained, forgotten;
  for (size_t j = 0; j < tasks; j++) {
    const auto learned = static_cast<int64_t>(j) + 1;
    measures.drop.push_back(difference(cell_after(matrix, learned, j), last[j]));
    if (j < matrix.joint.size())
      measures.intransigence.push_back(difference(matrix.joint[j], cell_after(matrix, learned, j)));
    if (j > 0) {
      const bool known = j < matrix.untrained.size();
      gained.push_back(known ? difference(cell_after(matrix, learned - 1, j), matrix.untrained[j]) : Cell{});
    }
    if (j + 1 == tasks) continue;
    kept.push_back(difference(last[j], cell_after(matrix, learned, j)));
    Cell best;
    bool whole = true;
    for (size_t l = j + 1; l < tasks; l++) {
      const Cell cell = cell_after(matrix, static_cast<int64_t>(l), j);
      whole = whole && cell;
      if (cell && (!best || *cell > *best)) best = cell;
    }
    if (!whole) best.reset();
    forgotten.push_back(difference(best, last[j]));
  }
  measures.bwt = mean(kept);
  measures.fwt = mean(gained);
  measures.forgetting = mean(forgotten);
  measures.mean_intransigence = mean(measures.intransigence);
  if (measures.bwt) measures.mean_drop = 0 - *measures.bwt;  // of 0 it is 0, not -0
  return measures;
}

std::vector<std::optional<double>> acc_along(const AccuracyMatrix& matrix) {
  std::vector<Cell> along;
  for (size_t i = 0; i < matrix.models.size(); i++) {
    const auto& row = matrix.accuracy[i];
    along.push_back(mean({row.begin(), row.begin() + matrix.learned[i]}));
  }
  return along;
}

nlohmann::json to_values(const std::vector<std::optional<double>>& cells) {
  auto values = nlohmann::json::array();
  for (const auto& cell : cells) values.push_back(to_value(cell));
  return values;
}

nlohmann::json to_json(const AccuracyMatrix& matrix, const Measures& measures) {
  auto accuracy = nlohmann::json::array();
  for (const auto& row : matrix.accuracy) accuracy.push_back(to_values(row));
  return {{"schema", "mas-eval/1"},
          {"measure", matrix.measure},
          {"tasks", matrix.tasks},
          {"models", matrix.models},
          {"learned", matrix.learned},
          {"accuracy", accuracy},
          {"acc", to_value(measures.acc)},
          {"bwt", to_value(measures.bwt)},
          {"fwt", to_value(measures.fwt)},
          {"forgetting", to_value(measures.forgetting)},
          {"drop", to_values(measures.drop)},
          {"mean_drop", to_value(measures.mean_drop)},
          {"joint", to_values(matrix.joint)},
          {"intransigence", to_values(measures.intransigence)},
          {"mean_intransigence", to_value(measures.mean_intransigence)},
          {"notes", matrix.notes},
          {"definitions", measure_definitions()}};
}

std::string to_csv(const AccuracyMatrix& matrix) {
  std::string csv = "model";
  for (const auto& task : matrix.tasks) csv += "," + csv_field(task);
  csv += '\n';
  for (size_t i = 0; i < matrix.models.size(); i++) {
    csv += csv_field(matrix.models[i]);
    for (const auto& cell : matrix.accuracy[i]) csv += "," + (cell ? fixed(*cell, 6) : "");
    csv += '\n';
  }
  return csv;
}

}  // namespace mas
