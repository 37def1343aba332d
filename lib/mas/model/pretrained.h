#pragma once
#include <string>
#include <vector>

#include "mas/io/state_dict.h"
#include "mas/model/model.h"

namespace mas {

/// Gives a new model, whose first task has been added, the weights of another program's file: each parameter and buffer
/// of the network has to be there with its shape, and each tensor of the file has to be used. Two exceptions: counters
/// of batches (num_batches_tracked) are left out, and the head, called as the architecture's "head" says or "head", is
/// taken where it is as large as the task's, and else left out. Returns what a user should know, a line each. Throws
/// Error naming `name`, the file, and the tensor; the model is then unchanged.
std::vector<std::string> adopt_weights(Model& model, StateDict from, const std::string& name);

}  // namespace mas
