#pragma once
#include <string>

#include "mas/data/dataset.h"
#include "mas/model/model.h"
#include "mas/model/script_output.h"

namespace mas {

/// A new model, without tasks, of the TorchScript module in `bytes` for samples like those of `data`: the module runs
/// on the first one. Throws Error naming `name`, the module's file, or `spec`, the data.
Model make_script_model(const std::string& bytes, const std::string& name, const ScriptOutput& output, Dataset& data,
                        const std::string& spec);

}  // namespace mas
