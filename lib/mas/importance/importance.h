#pragma once
#include <string>

#include "mas/io/model_file.h"
#include "mas/tensors.h"

namespace mas {

/// How the Ω of tasks become one: "sum" adds them up (Aljundi et al.), "ema:G" keeps G of the old and takes 1 - G of
/// the new, "normalised" divides each task's Ω by its mean over all parameters before adding, so that each weighs
/// alike.
struct Combine {
  enum class Kind { kSum, kEma, kNormalised } kind = Kind::kSum;
  double gamma = 0;  ///< of ema, in [0, 1)
};
Combine parse_combine(const std::string& text);  ///< throws UsageError

/// The Ω that the next training is penalised with: combine(closed, sum / count), float32, empty where there is none.
NamedTensors total_importance(const ImportanceRecord& record);

/// What samples are fed as; those of one task are of one kind.
struct FeedKind {
  int64_t tasks = 0;      ///< how many the model has learned
  std::string method;     ///< mas, local
  std::string estimator;  ///< per-sample, batch:N
  std::string outputs;    ///< head, all
};

/// Opens the record for samples of the running task: where a task was learned since the last feed (record.tasks <
/// kind.tasks), closed := combine(closed, sum / count) and the sum starts anew. `combine` empty: the record's own rule,
/// or sum. Throws Error naming `name` where samples of another kind were fed for the same task.
void begin_feed(ImportanceRecord& record, const FeedKind& kind, const std::string& combine, const std::string& name);

/// Adds samples: sum += sums, count += count. `sums`: float64, one for each parameter; kept, not copied.
void feed(ImportanceRecord& record, const NamedTensors& sums, int64_t count);

/// Adds another record of the same model and task, a shard's say; `combine` as above, or the other's rule. Throws Error
/// naming `name` (the other file) where they don't go together; `record` is then unchanged.
void merge(ImportanceRecord& record, const ImportanceRecord& other, const std::string& combine,
           const std::string& name);

/// Throws Error naming `name` where total_importance() couldn't be told for each of the parameters: an unknown rule,
/// a parameter without Ω, or values beyond float32. That Ω is of the file's own weights and has sound values is
/// io/model_check.h's to say.
void check_combinable(const ImportanceRecord& record, const NamedTensors& parameters, const std::string& name);

}  // namespace mas
