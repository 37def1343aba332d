#pragma once
#include <memory>
#include <vector>

#include "mas/data/dataset.h"
#include "mas/model/accuracy.h"
#include "mas/model/model.h"

namespace mas {

/// The last `count` of a model's tasks. Throws Error where it has fewer.
std::vector<TaskRecord> last_tasks(const Model& model, int64_t count);

/// Tasks that are trained at once, in mixed batches: the reference that no sequence of tasks reaches. Their outputs lie
/// side by side, where each has a head; a sample's target is a place among them all.
class JointTasks {
 public:
  /// The last `count` of the model's tasks; throws as last_tasks().
  JointTasks(const Model& model, int64_t count);

  /// [n, outputs of all these tasks] for the samples x [n, *input] and their targets, int64 [n]: the outputs of other
  /// tasks than the target's are −∞, so that each sample is judged among its own. [n, outputs] where one head serves
  /// all.
  at::Tensor outputs(const Model& model, const at::Tensor& x, const at::Tensor& targets) const;
  /// Labels of the i-th of these tasks -> targets, int64 [n].
  at::Tensor targets(const Model& model, const at::Tensor& labels, size_t i) const;
  /// How many of these rows of a joined set are answered right, each among its own task's outputs; in eval mode.
  Accuracy measure(Model& model, Dataset& data, const std::vector<int64_t>& rows) const;

 private:
  std::vector<TaskRecord> tasks_;
  std::vector<int64_t> offsets_;  // of each task's outputs
  at::Tensor owners_;             // int64: which task an output is of; undefined where they share them
};

/// The data of such tasks as one set, one task after the other. labels() are targets, and classes() those that occur.
std::unique_ptr<Dataset> join(std::vector<std::unique_ptr<Dataset>> parts, const Model& model);

/// Which part a row of that set is of, from 0; 0 for any other set.
size_t part_of(const Dataset& data, int64_t row);

}  // namespace mas
