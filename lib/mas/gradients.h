#pragma once
#include <utility>

#include "mas/tensors.h"

namespace mas {

/// Asks autograd for these tensors' gradients as long as it lives; whatever happens, nobody asks for them afterwards.
class GradientsOn {
 public:
  explicit GradientsOn(NamedTensors tensors) : tensors_(std::move(tensors)) { ask(true); }
  ~GradientsOn() { ask(false); }
  GradientsOn(const GradientsOn&) = delete;
  GradientsOn& operator=(const GradientsOn&) = delete;

 private:
  void ask(bool on) const {
    for (const auto& [name, value] : tensors_) value.set_requires_grad(on);
  }
  NamedTensors tensors_;
};

}  // namespace mas
