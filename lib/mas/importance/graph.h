#pragma once
#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "mas/importance/leaf.h"

namespace mas {

/// A node that takes parameters as inputs.
struct Use {
  std::shared_ptr<torch::autograd::Node> node;
  std::map<int, Leaf> slots;  ///< by the number of the node's input
  bool terminal = true;       ///< no other use lies behind it, so a backward pass may end here
};

/// What an output's autograd graph says about parameters.
struct Graph {
  std::vector<Use> uses;
  std::map<int, std::string> unknown;     ///< parameters with a use that isn't `usable`, and that node's name
  std::map<int, std::string> signatures;  ///< of all uses of a parameter: equal for equal computations
  std::map<int, int> times;               ///< uses of a parameter; 1 too where they see parts that lie apart
  uint64_t nodes = 0;  ///< a hash of all nodes' names, and how they turn dimensions, in the order of the walk
  /// The nodes that take a node's output; absent for the network's output.
  std::unordered_map<torch::autograd::Node*, std::vector<torch::autograd::Node*>> consumers;
};

using ParameterIndex = std::unordered_map<const c10::TensorImpl*, int>;

/// Walks the graph behind y. Parameters that aren't `active` are passed by; one with a use that isn't `usable` is
/// listed in `unknown` and has no uses.
Graph walk(const at::Tensor& y, const ParameterIndex& index, const std::function<bool(int parameter)>& active,
           const std::function<bool(torch::autograd::Node&)>& usable);

/// The shape of a node's output in the forward pass. Takes a tensor of that size for a moment: LibTorch 1.13 doesn't
/// tell it otherwise.
std::vector<int64_t> output_shape(const torch::autograd::Node& node, int output);

/// Elements of the tensors computed on the way to an output; those that only rearrange others aren't counted.
struct Extent {
  int64_t widest = 0;  ///< of the largest
  int64_t total = 0;   ///< of all
};

/// Slow, as output_shape() is.
Extent extent(const at::Tensor& y);

}  // namespace mas
