#pragma once
#include <functional>
#include <string>
#include <vector>

#include "mas/data/dataset.h"
#include "mas/importance/estimator.h"
#include "mas/model/model.h"

namespace mas {

struct ImportanceOptions {
  std::vector<std::string> data;         ///< specs; empty: the running task's own
  std::string method = "mas";            ///< see methods.h
  std::string estimator = "per-sample";  ///< per-sample, batch:N
  std::string fisher = "exact";          ///< of ewc: exact, sampled, empirical
  uint64_t seed = 0;                     ///< of the classes that sampled draws
  std::string combine;                   ///< see importance.h; empty: the model's own rule, or the method's
  std::string outputs = "head";          ///< head: of the running task; all: of every head, side by side
  int64_t limit = 0;                     ///< samples; 0: all
  std::string shard;                     ///< "I/N": rows I, I + N, ... counted from 1; empty: all
  int64_t batch_size = 128;              ///< samples a pass; 0: as many as make it faster and `memory` holds
  int64_t memory = 0;    ///< bytes that may be used; 0: no bound, or for batch_size 0 a quarter of what is free
  std::string returned;  ///< of a TorchScript module: which of the values that it returns, see ScriptOutput
  OpenOptions open;      ///< where data are looked up
  std::function<void(int64_t done, int64_t total)> progress;  ///< samples
};

/// The model in a file ("-" is standard input); or that of a TorchScript module, for samples like those of the first
/// data spec. Throws Error naming it.
Model open_model(const std::string& path, const ImportanceOptions& options);

struct ImportanceReport {
  int64_t fed = 0;    ///< samples of this run
  int64_t count = 0;  ///< samples of the running task in all
  double seconds = 0;
  double mean = 0, largest = 0;  ///< of sum / count over all parameters
  std::string largest_parameter;
  std::vector<Path> paths;
  std::vector<std::string> notes;  ///< what a reader has to know: data that aren't those that were learned
  std::string verbose_hint;        ///< a line where a parameter took the slow path, else empty
};

/// Feeds samples into the model's importance. Throws before any work where options, data and model don't go together.
ImportanceReport estimate_importance(Model& model, const ImportanceOptions& options);

/// Adds the importance of other files of the same model (shards). Throws Error naming the file that doesn't fit.
ImportanceReport merge_importance(Model& model, const std::vector<std::string>& files,
                                  const ImportanceOptions& options);

/// Forgets what was fed for the running task; the finished tasks' Ω stays.
void reset_importance(Model& model);

/// Forgets all importance, so that any other can begin.
void forget_importance(Model& model);

}  // namespace mas
