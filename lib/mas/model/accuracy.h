#pragma once
#include <string>
#include <vector>

#include "mas/data/dataset.h"
#include "mas/error.h"
#include "mas/model/model.h"

namespace mas {

/// Right answers among samples.
struct Accuracy {
  int64_t right = 0;
  int64_t total = 0;
  double fraction() const { return total ? static_cast<double>(right) / static_cast<double>(total) : 0; }
};

/// A network with an output that isn't finite answers nothing, whatever its largest output is.
class NotFinite : public Error {
 public:
  using Error::Error;
};

/// Throws NotFinite naming the model where one of its outputs for these images isn't, or Error naming the task's data
/// where that is their fault.
void require_finite(const at::Tensor& outputs, const at::Tensor& images, const Model& model, const TaskRecord& task);

/// How many samples have their largest output at the target. outputs [n, classes], targets int64 [n].
int64_t count_right(const at::Tensor& outputs, const at::Tensor& targets);

/// Counts where the largest output is the label's, in eval mode. Throws Error for data without labels, of another shape
/// than the network's input, or with labels that the task doesn't have, and NotFinite naming the model, or the data
/// that aren't finite themselves.
Accuracy measure_accuracy(Model& model, const TaskRecord& task, Dataset& data, const std::vector<int64_t>& rows,
                          int64_t batch_size = 256);
Accuracy measure_accuracy(Model& model, const TaskRecord& task, Dataset& data, int64_t batch_size = 256);

/// Throws Error naming both shapes where samples of `data` don't fit the network; `spec` names the data.
void check_input(const Model& model, const Dataset& data, const std::string& spec);
/// In scenario facts, throws Error where the data have no vectors or others than the network's outputs.
void check_vectors(const Model& model, Scenario scenario, const Dataset& data, const std::string& spec);

}  // namespace mas
