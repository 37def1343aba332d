#pragma once
#include <string>

#include <ATen/core/ivalue.h>

#include "mas/error.h"

namespace mas {

/// Which output of a TorchScript module is meant.
struct ScriptOutput {
  std::string features;  ///< the layer whose output is taken; empty: the module's own
  std::string returned;  ///< which of the values that are returned: "1", "logits", "aux.0"; empty: the only one
};

/// A tensor among values that were returned.
struct Choice {
  at::Tensor tensor;
  std::string
      subscript;  ///< what leads to it in TorchScript: "[1]", "[\"aux\"][0]"; empty: nothing but it was returned
};

/// Says what there is to choose from.
class ChoiceError : public Error {
 public:
  using Error::Error;
};

/// The tensor of a tuple, list or dictionary that `output.returned` names: a number from 0, the field of a named tuple
/// or a key; and behind a dot the same of what that is. Throws ChoiceError, with `name` for the module, where it names
/// no tensor.
Choice choose(const c10::IValue& value, const ScriptOutput& output, const std::string& name);

}  // namespace mas
