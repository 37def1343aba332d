#pragma once
#include <string>

#include "mas/importance/path_integral.h"
#include "mas/model/model.h"
#include "mas/training/optimizer.h"

namespace mas {

/// Where a training stands between two epochs: everything that the next epoch depends on besides the model's weights.
struct TrainState {
  int64_t epoch = 0;          ///< epochs done
  NamedTensors anchor;        ///< θ* of the penalised parameters
  NamedTensors begin;         ///< with distillation, parameters and buffers as they came
  TrainingPath path;          ///< empty unless one is recorded
  NamedTensors best;          ///< parameters, buffers and path/NAME after the best epoch; empty without patience
  double best_accuracy = -1;  ///< on the validation samples
  int64_t best_epoch = 0;
};

/// Puts the state into the model file's /optimizer and /progress, or takes it out.
void store_state(ModelFile& file, const TrainState& state, const Optimizer& optimizer);
bool has_state(const ModelFile& file);
/// Throws Error naming `name` where the checkpoint doesn't fit a training of so many epochs.
TrainState restore_state(const ModelFile& file, int64_t epochs, const std::string& name);
/// Throws Error where a tensor of the restored state, which was in this group of /optimizer, isn't there or has another
/// shape or type than `like`: somebody may have edited the checkpoint `name`.
void check_part(const NamedTensors& tensors, const std::string& group, const std::string& tensor,
                const at::Tensor& like, const std::string& name);
void restore_optimizer(const ModelFile& file, Optimizer& optimizer, const std::string& name);
void remove_state(ModelFile& file);

}  // namespace mas
