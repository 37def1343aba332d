#pragma once
#include <string>

#include "mas/io/model_file.h"

namespace mas {

/// Whether a tensor, layer or task may be called so in a model file: UTF-8 that isn't empty or ".", without '/' or NUL.
bool may_be_name(const std::string& text);

/// Throws Error(name, ...) for a model that no file may hold: no weights, NaN or infinity, Ω that is negative, belongs
/// to other parameters or to a task that isn't there, or lacks its counts. Asked after reading and before writing, so
/// that what is written can be read.
void check_model(const ModelFile& model, const std::string& name);

}  // namespace mas
