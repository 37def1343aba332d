#pragma once
#include <string>

#include "mas/io/model_file.h"
#include "mas/tensors.h"

namespace mas {

/// How the Ω of tasks become one: "sum" adds them up (Aljundi et al.), "ema:G" keeps G of the old and takes 1 - G of
/// the new, "decay:G" keeps G of the old and adds the new (online EWC, Schwarz et al. 2018), "normalised" divides each
/// task's Ω by its mean over all parameters before adding, so that each weighs alike. These have one anchor θ*, the
/// weights that a training starts from; "anchors" adds up too, and each task keeps its own (EWC, Kirkpatrick et al.
/// 2017): see fold_anchors().
struct Combine {
  enum class Kind { kSum, kEma, kDecay, kNormalised, kAnchors } kind = Kind::kSum;
  double gamma = 0;  ///< of ema and decay, in [0, 1)
};
Combine parse_combine(const std::string& text);  ///< throws UsageError

/// The Ω that the next training is penalised with: combine(closed, sum / count), float32, empty where there is none.
NamedTensors total_importance(const ImportanceRecord& record);

/// What samples are fed as. Importance of one kind adds up, over samples and over tasks; of several it has no unit.
struct FeedKind {
  int64_t tasks = 0;      ///< how many the model has learned
  std::string method;     ///< see methods.h
  std::string estimator;  ///< per-sample, batch:N, fisher-KIND, path:XI or constant
  std::string outputs;    ///< head, all
};

/// Opens the record for samples of the running task: where a task was learned since the last feed (record.tasks <
/// kind.tasks), closed := combine(closed, sum / count) by the rule that its training had, and the sum starts anew.
/// `combine` empty: the record's own rule, or the method's. A constant (methods.h) takes the place of what finished
/// tasks left, and what is fed after it takes its place. Throws Error naming `name` where importance of another kind is
/// there, or where a finished task has no anchor and needs one.
void begin_feed(ImportanceRecord& record, const FeedKind& kind, const std::string& combine, const std::string& name);

/// Throws what begin_feed() would.
void check_feed(const ImportanceRecord& record, const FeedKind& kind, const std::string& combine,
                const std::string& name);

/// Adds samples: sum += sums, count += count. `sums`: float64, one for each parameter; kept, not copied.
void feed(ImportanceRecord& record, const NamedTensors& sums, int64_t count);

/// Adds another record of the same model and task, a shard's say; `combine` as above, or the other's rule. Throws Error
/// naming `name` (the other file) where they don't go together; `record` is then unchanged.
void merge(ImportanceRecord& record, const ImportanceRecord& other, const std::string& combine,
           const std::string& name);

/// Under the rule "anchors": closes the running task while the weights are those that it belongs to, θ_t. The sum of
/// F_t (θ − θ_t)² over tasks is, but for a constant, F (θ − m)² with F = Σ F_t (`closed`) and m = Σ F_t θ_t / F
/// (`anchor`; θ_t of the last task where F is 0): it takes the room of one task. Does nothing under other rules.
void fold_anchors(ImportanceRecord& record, const NamedTensors& weights);

/// Throws Error naming `name` where total_importance() couldn't be told for each of the parameters: an unknown
/// method or rule, a parameter without Ω or anchor, anchors where the rule has none, or values beyond float32. That Ω
/// is of the file's own weights and has sound values is io/model_check.h's to say.
void check_combinable(const ImportanceRecord& record, const NamedTensors& parameters, const std::string& name);

}  // namespace mas
