#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mas/evaluation/matrix.h"
#include "mas/model/model.h"

namespace mas {

/// What several runs say of one number.
struct Statistic {
  int64_t n = 0;  ///< values
  double mean = 0;
  std::optional<double> deviation;  ///< standard deviation of the runs (divided by n − 1); empty for a single one
  std::optional<double> low, high;  ///< 95 % interval of the mean, by Student's t with n − 1 degrees of freedom
};
/// Of the values that are there; empty where none is.
std::optional<Statistic> statistic(const std::vector<std::optional<double>>& values);

/// Runs of one experiment: they differ in their seeds alone.
struct RunGroup {
  std::vector<std::string> models;     ///< files, in the order given
  std::vector<uint64_t> seeds;         ///< of their first tasks
  std::vector<std::string> all_seeds;  ///< of all tasks and of their data, which tell the runs apart
  std::vector<std::string> tasks;
  std::string measure = "accuracy";                                    ///< or "mAP", of the matrices
  std::map<std::string, std::vector<std::optional<double>>> measures;  ///< name (measure_definitions()) -> one a run
  /// "accuracy", at the end, and "drop": of each task, one a run.
  std::map<std::string, std::vector<std::vector<std::optional<double>>>> task_measures;
};

/// Collects the last models of runs, and puts those together whose network, tasks, training options and importance (how
/// it was estimated, of how many samples and tasks) are the same but for the seeds (also those in data specs: seed=,
/// permute=). First weights from a file are no seed: runs that have others are another group.
class Runs {
 public:
  /// Throws Error where a run's tasks aren't all learned, so that it has no ACC, for a checkpoint, and for a run whose
  /// seeds one of its group has already: a copy would count twice.
  void add(const Model& model, const AccuracyMatrix& matrix);
  /// In the order of their first runs.
  const std::vector<RunGroup>& groups() const { return groups_; }

 private:
  std::vector<std::string> keys_;
  std::vector<RunGroup> groups_;
};

/// `group` minus `reference`, one value for each run of `group` whose seeds the other has too: the same first weights
/// and order of samples, so that the difference varies less than the two. Empty values where a run has no partner, or
/// the two are measured otherwise.
std::vector<std::optional<double>> difference(const RunGroup& group, const RunGroup& reference,
                                              const std::string& measure);

/// The names of the measures that groups have, in the order of printing.
const std::vector<std::string>& run_measures();
/// The object of `mas-eval --runs --json` (man page mas-eval, JSON).
nlohmann::json to_json(const Runs& runs);
/// A header and a line a run; fractions with six digits, empty where there is no value.
std::string to_csv(const Runs& runs);

}  // namespace mas
