#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "mas/data/dataset.h"
#include "mas/data/facts/words.h"
#include "mas/io/model_file.h"
#include "mas/model/network.h"

namespace mas {

/// What is known at test time (van de Ven & Tolias 2019; Hsu et al. 2018).
enum class Scenario {
  kTask,    ///< the task: a head for each
  kDomain,  ///< one head with the same outputs for each task
  kClass,   ///< one head over all classes so far
  kFacts  ///< nothing: the network's own outputs are compared with vectors of facts (Aljundi et al. 2018, section 5.2)
};
Scenario parse_scenario(const std::string& text);  ///< throws UsageError
/// Whether all tasks have the same outputs, so that what one teaches may help another before that is learned.
inline bool shares_outputs(Scenario scenario) { return scenario == Scenario::kDomain || scenario == Scenario::kFacts; }
std::string to_string(Scenario scenario);

/// A task as /tasks records it.
struct TaskRecord {
  std::string name;
  std::string data;              ///< the spec that it was trained on
  std::string identity;          ///< what tells these data from others (data/identity.h); empty: not recorded
  std::vector<int64_t> classes;  ///< labels in the order of the head's outputs
  WordIdentities words;          ///< of facts; empty where they have no names
  Scenario scenario = Scenario::kTask;
  nlohmann::json options;  ///< how it was trained
  uint64_t seed = 0;
};
nlohmann::json to_json(const TaskRecord& task);
/// `name` is the file, for messages.
std::vector<TaskRecord> parse_tasks(const nlohmann::json& tasks, const std::string& name);

/// "weight" [outputs, features] and "bias" [outputs] of a linear layer, drawn as torch.nn.Linear does.
NamedTensors new_linear(int64_t outputs, int64_t features, uint64_t seed);

/// A network with its heads, on top of a model file whose weights, buffers and heads are the network's own tensors:
/// what training changes is what is written.
///
/// Scenario task: the head of a task lies in heads[task] ("weight", "bias"). Otherwise there is one, among the weights
/// ("head.weight", "head.bias"), so that it has an importance like any parameter; or the network's own outputs are it
/// (Network::has_own_head), in scenario class output i for label i. Scenario facts needs such a network.
class Model {
 public:
  /// A new network without a head. `script`: the bytes of a TorchScript module, if the network is one.
  Model(const nlohmann::json& arch, uint64_t seed, const std::string& script = "");
  Model(std::unique_ptr<Network> network, const nlohmann::json& arch, const std::string& script);
  /// Throws Error naming `name` where the weights, heads, tasks or Ω don't fit the architecture.
  Model(ModelFile file, const std::string& name);

  /// Adds a task and what it needs of heads (for the class scenario: outputs for classes that are new). Throws Error
  /// for a name in use, another scenario than before, or (domain) another number of classes.
  void add_task(const TaskRecord& task);
  const std::vector<TaskRecord>& tasks() const { return tasks_; }
  /// Throws Error where there is none of this name.
  const TaskRecord& task(const std::string& name) const;

  /// Outputs before any softmax for the samples x [n, *input]: [n, outputs(task)].
  at::Tensor forward(const at::Tensor& x, const TaskRecord& task) const;
  /// The same of the network's own outputs for x, [n, feature_size].
  at::Tensor apply_head(const at::Tensor& features, const TaskRecord& task) const;
  /// The network's own outputs, whatever the tasks: [n, feature_size].
  at::Tensor features(const at::Tensor& x) const { return network_->features(x); }
  /// Outputs of these tasks' heads side by side, [n, sum of outputs]; and of all tasks'.
  at::Tensor forward(const at::Tensor& x, const std::vector<TaskRecord>& tasks) const;
  at::Tensor forward_all(const at::Tensor& x) const { return forward(x, tasks_); }
  /// Labels as they stand in the data -> indices of outputs; throws Error naming a label that the task doesn't have.
  /// `data` names the data in the message; the task's own unless given. In scenario facts labels as they are: places
  /// among the data's vectors.
  at::Tensor targets(const at::Tensor& labels, const TaskRecord& task, const std::string& data = "") const;
  int64_t outputs(const TaskRecord& task) const;
  /// Whether there is an output for each class of the task, which may be another model's.
  bool answers(const TaskRecord& task) const;

  /// Parameters that all tasks share (Ω is about these), those of them that aren't frozen, and one task's own.
  NamedTensors shared_parameters() const;
  NamedTensors trainable_parameters() const;
  NamedTensors head_parameters(const TaskRecord& task) const;

  /// The same network, heads and encoders as they are now, with tensors of its own; without importance.
  Model snapshot() const;

  /// Also takes into `file` what a training left in the network's buffers.
  void train(bool on);
  const Network& network() const { return *network_; }
  const std::string& name() const { return name_; }

  ModelFile file;  ///< its tensors are the network's; write_model(file, path) saves the model

 private:
  void know_classes(const TaskRecord& task);
  bool own_head(Scenario scenario) const { return scenario != Scenario::kTask && network_->has_own_head(); }
  void check_own_head(const TaskRecord& task) const;
  void check_heads() const;
  void check_encoders() const;

  std::string name_;
  std::unique_ptr<Network> network_;
  std::vector<TaskRecord> tasks_;
  std::unordered_map<int64_t, int64_t> class_outputs_;  // scenario class: label -> output, in the order of learning
};

}  // namespace mas
