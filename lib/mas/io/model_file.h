#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "mas/tensors.h"

namespace mas {

/// Ω as it is stored: sums and counts, so that it can be fed, merged and combined (see importance/importance.h).
struct ImportanceRecord {
  NamedTensors closed;           ///< float32, the parameter's shape: Ω of the finished tasks, combined
  NamedTensors anchor;           ///< float32, for each of `closed` under the rule "anchors": the mean of the weights
  NamedTensors sum;              ///< float64, the parameter's shape: the running task, summed over samples
  int64_t count = 0;             ///< samples in `sum`, not batches
  int64_t tasks = 0;             ///< how many tasks the model had learned when `sum` was begun
  int64_t closed_tasks = 0;      ///< tasks that went into `closed`
  std::string method;            ///< see importance/methods.h; empty: there is no importance
  std::string estimator;         ///< "per-sample", "batch:N", "fisher-KIND", "path:XI" or "constant"
  std::string outputs = "head";  ///< what F was: "head" or "all"
  std::string combine;           ///< "sum", "ema:G", "decay:G", "normalised" or "anchors"
  bool empty() const { return closed.empty() && sum.empty(); }
};

/// Groups, attributes and data sets that this version doesn't know; they travel through a tool unchanged.
class UnknownContent;

class Block;

/// All that a model file holds (man page mas-model.5), as tensors on the CPU and JSON.
struct ModelFile {
  nlohmann::json arch;                           ///< architecture, see model/architecture.h
  std::string script;                            ///< bytes of a TorchScript module, or empty
  NamedTensors weights;                          ///< float32 or float64 parameters that all tasks share
  NamedTensors buffers;                          ///< batch-norm statistics and the like
  std::map<std::string, NamedTensors> heads;     ///< task name -> parameters of that task alone
  std::map<std::string, NamedTensors> encoders;  ///< task name -> weight and bias of a code of its features (EBLL)
  ImportanceRecord importance;
  nlohmann::json tasks = nlohmann::json::array();    ///< one record a task
  nlohmann::json results = nlohmann::json::array();  ///< one record an evaluation
  NamedTensors optimizer;                            ///< only in checkpoints: names such as "anchor/fc1.weight"
  nlohmann::json progress;                           ///< only in checkpoints: null otherwise
  int format_minor = 0;  ///< minor version of the file that was read, kept when it is later than ours
  std::shared_ptr<UnknownContent> unknown;  ///< null when there is none
};

constexpr int kModelFormatMajor = 1;
constexpr int kModelFormatMinor = 0;

/// Reads a model file; "-" is standard input. Throws Error naming the file for anything that is not a sound model file:
/// the digest is checked before HDF5 sees a byte, and a child process reads it first under limits of time and memory,
/// because a digest can be forged, or be missing. NaN or infinity in weights, buffers, heads or Ω is an error that
/// names the tensor.
ModelFile read_model(const std::string& path);

/// Writes a model file, byte-identical for equal content; "-" is standard output. A file is written beside its target,
/// synced and renamed, so that a failure leaves the old file; throws Error naming the file, nothing half-written stays,
/// and BrokenPipe (io/atomic_file.h) when nobody reads standard output. What could not be read again is refused
/// (io/model_check.h): NaN, Ω without its counts or method, Ω of other shapes than the weights, names with '/' outside
/// `optimizer`.
void write_model(const ModelFile& model, const std::string& path);

/// The bytes that write_model writes, and their reading; `name` is for messages.
std::string serialize_model(const ModelFile& model);
ModelFile parse_model(const std::string& bytes, const std::string& name);
/// The same without a copy: large tensors stay where they lie in `bytes`, which they keep.
ModelFile parse_model(const std::shared_ptr<Block>& bytes, const std::string& name);

}  // namespace mas
