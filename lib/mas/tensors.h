#pragma once
#include <ATen/ATen.h>

#include <map>
#include <string>

namespace mas {

/// Tensors under their state_dict names, in sorted order, so that equal content gives equal bytes.
using NamedTensors = std::map<std::string, at::Tensor>;

/// Copies with memory of their own, of which no gradient is asked.
NamedTensors cloned(const NamedTensors& tensors);

}  // namespace mas
