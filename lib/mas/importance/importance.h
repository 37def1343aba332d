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

/// Opens the record for samples of the running task: where a task was learned since the last feed (record.tasks <
/// `tasks`), closed := combine(closed, sum / count) and the sum starts anew. Throws Error naming `name` where samples
/// of another method or estimator were fed for the same task.
void begin_feed(ImportanceRecord& record, int64_t tasks, const std::string& method, const std::string& estimator,
                const std::string& combine, const std::string& name);

/// Adds samples: sum += sums, count += count. `sums`: float64, one for each parameter.
void feed(ImportanceRecord& record, const NamedTensors& sums, int64_t count);

/// Adds another record of the same model, task and method, a shard's say. Throws Error naming `name` (the other file)
/// where they don't go together; `record` is then unchanged.
void merge(ImportanceRecord& record, const ImportanceRecord& other, const std::string& name);

/// Throws Error naming `name` and the tensor where Ω has other names or shapes than the parameters.
void check_importance(const ImportanceRecord& record, const NamedTensors& parameters, const std::string& name);

}  // namespace mas
