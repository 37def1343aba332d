#pragma once
#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>

#include <functional>
#include <map>
#include <set>
#include <string>

#include "mas/importance/graph.h"
#include "mas/importance/kernel/outer_sum.h"

namespace mas {

/// Per-sample gradients of one parameter in one use, in the shape that the node saw it, in any of three forms.
struct Gradient {
  /// Always there: those of samples [first, first + count), [count, ...].
  std::function<at::Tensor(int64_t first, int64_t count)> each;

  /// A product, where it is one: sample n's is left_nᵀ right_n, of t rows each. left [n * t, k], right [n * t,
  /// columns].
  struct Product {
    at::Tensor left, right;
  };
  Product product;

  /// Or summed by the kernel, without ever lying in memory; float32 only.
  struct Kernel {
    int64_t groups = 0, k = 0, columns = 0;
    std::function<void(OuterSum&)> add;
    /// From [groups, k, columns] to the shape that the node saw.
    std::function<at::Tensor(const at::Tensor&)> arrange;
  };
  Kernel kernel;
};

/// A use, and the gradient that arrives at the node's output.
struct Arrival {
  torch::autograd::Node& node;
  at::Tensor delta;     ///< d / d (the node's output), samples along the first dimension, several rows a sample at most
  int64_t samples;      ///< n; delta.size(0) is a multiple of it
  std::set<int> slots;  ///< the inputs whose gradients are wanted
  bool kernels;         ///< whether Gradient::Kernel will be used: float32, and each parameter used once
};

/// What is known about one kind of node. A new layer kind is one file with such a rule and one line in table.cpp.
struct Rule {
  const char* name;  ///< as reported: "linear", "convolution", ...
  /// The gradients it knows, by slot; a wanted slot that is missing takes the loop. Unpacks what the node saved, which
  /// is gone later.
  std::map<int, Gradient> (*gradients)(const Arrival&);
  /// The node's output computed again from its inputs, for the local rule; undefined when it can't be. Null: none.
  at::Tensor (*output)(const Use&, const std::function<at::Tensor(int parameter)>& value) = nullptr;
};

/// Null when nothing is known about the node.
const Rule* find_rule(const torch::autograd::Node& node);

extern const Rule kLinearAddmm, kLinearMm, kConvolution0, kConvolution1, kBatchNorm, kLayerNorm, kAdd, kSubtract,
    kMultiply;

/// What a node saved, as the tensor it was.
template <class Saved>
at::Tensor saved(torch::autograd::Node& node, const Saved& variable) {
  return variable.unpack(node.shared_from_this());
}

/// The shape of the node's input in a slot, as the node saw it.
std::vector<int64_t> input_shape(const torch::autograd::Node& node, int slot);

}  // namespace mas
