#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "mas/tensors.h"

namespace mas {

/// Weights that another program wrote.
struct StateDict {
  NamedTensors tensors;              ///< on the CPU, of the file's types; views with strides where the file has such
  std::vector<std::string> notices;  ///< what was unwrapped, renamed or left out, in words; without the file's name
};

/// Reads safetensors, what torch.save writes for a state dict (in both of its formats), and model files (their weights
/// and buffers, and the head where there is one alone, as "head.weight" and "head.bias"). Known by content; "-" is
/// standard input. "module." before all names, as DataParallel writes them, is taken off. Nothing of a file is
/// executed, and it takes as much memory as its size explains. Throws Error naming the file, and a likely mistake.
StateDict read_state_dict(const std::string& path);
StateDict parse_state_dict(const std::string& bytes, const std::string& name);

/// A tensor of one dimension with a copy of the bytes, whose number is a multiple of the type's size.
at::Tensor tensor_of(std::string_view bytes, at::ScalarType type);

}  // namespace mas
