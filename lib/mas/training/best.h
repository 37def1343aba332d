#pragma once
#include <string>

#include "mas/model/model.h"
#include "mas/training/checkpoint.h"

namespace mas {

/// All that a training changes: its parameters, and the buffers of the model, which must outlive this.
class Trained {
 public:
  Trained(Model& model, NamedTensors parameters) : model_(model), parameters_(std::move(parameters)) {}

  const NamedTensors& parameters() const { return parameters_; }
  NamedTensors copy() const;
  /// Throws Error where a copy that came from this group of a checkpoint isn't one; see check_part().
  void check_copy(const NamedTensors& copy, const std::string& group) const;
  void put_back(const NamedTensors& copy);
  const std::string& name() const { return model_.name(); }

 private:
  Model& model_;
  NamedTensors parameters_;
};

/// Whether so many epochs after a warm-up of others have brought no better accuracy on the validation samples; 0:
/// never.
bool out_of_patience(const TrainState& state, int64_t patience, int64_t warm_up = 0);

/// Keeps what the epoch that has just ended left, where this accuracy is the best so far.
void keep_if_best(TrainState& state, const Trained& trained, double accuracy);

/// Throws Error where the best epoch that a checkpoint kept lacks something.
void check_best(const TrainState& state, const Trained& trained);

/// Goes back to the best epoch, if one was kept. The path, too, is then that to the weights which are kept, so that Ω
/// is theirs.
void take_best(TrainState& state, Trained& trained);

}  // namespace mas
