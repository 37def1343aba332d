#include "mas/tensors.h"

namespace mas {

NamedTensors cloned(const NamedTensors& tensors) {
  NamedTensors copies;
  for (const auto& [name, value] : tensors) copies[name] = value.detach().clone();
  return copies;
}

}  // namespace mas
