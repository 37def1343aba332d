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

/// Per-sample gradients of one parameter in one use, in the shape that the node saw it, in any of four forms.
struct Gradient {
  /// Always there: those of samples [first, first + count), [count, ...].
  std::function<at::Tensor(int64_t first, int64_t count)> each;

  /// A product, where it is one: sample n's is left_nᵀ right_n, of t rows each. left [n * t, k], right [n * t,
  /// columns]; reshaped, [k, columns] is what the node saw.
  struct Product {
    at::Tensor left, right;
    std::vector<int64_t> seen;
  };
  Product product;

  /// Or rows of a table: sample n's is zero but for values[n, i] added to row index[n, i]. index int64 [n, t],
  /// values [n, t, width].
  struct Rows {
    at::Tensor index, values;
  };
  Rows rows;

  /// Or summed by the kernel, without ever lying in memory; float32 only.
  struct Kernel {
    int64_t groups = 0, k = 0, columns = 0;
    bool channels_last = false;  ///< k is in the order (window, channel), else (channel, window)
    std::function<void(OuterSum&)> add;
    /// From [groups, k, columns] to the shape that the node saw.
    std::function<at::Tensor(const at::Tensor&)> arrange;
  };
  Kernel kernel;

  /// Sums of δ alone, which may cancel but for rounding: a bias in front of an instance norm.
  bool plain = false;
};

/// Where the samples are among a tensor's leading dimensions, which count rows.
enum class Order {
  kFirst,   ///< [n * t, ...]: a sample's rows one after the other
  kSecond,  ///< [t, n, ...]: sequences with the steps first
  kLast     ///< [t * n, ...]: the same, flattened
};

/// The tensor [n, t, ...] of each sample's rows; undefined where the order doesn't fit its shape.
at::Tensor by_sample(const at::Tensor& rows, int64_t samples, Order order);

/// A use, and the gradient that arrives at the node's output.
struct Arrival {
  torch::autograd::Node& node;
  at::Tensor delta;     ///< d / d (the node's output)
  int64_t samples;      ///< n
  Order order;          ///< of its rows
  std::set<int> slots;  ///< the inputs whose gradients are wanted
  bool kernels;         ///< whether Gradient::Kernel will be used: float32, and each parameter used once

  /// [n, t, ...]: a tensor whose last `kept` dimensions are one row's, the others count rows as delta's do. Undefined
  /// where the order doesn't fit them.
  at::Tensor rows(const at::Tensor& tensor, int64_t kept) const;
  /// Whether delta's first dimension counts the samples, one row each.
  bool one_row() const { return order == Order::kFirst && delta.dim() > 0 && delta.size(0) == samples; }
};

/// What is known about one kind of node. A new layer kind is one file with such a rule and one line in table.cpp.
struct Rule {
  const char* name;  ///< as reported: "linear", "convolution", ...
  /// The gradients it knows, by slot; a wanted slot that is missing takes the loop. Unpacks what the node saved, which
  /// is gone later.
  std::map<int, Gradient> (*gradients)(const Arrival&);
  /// The node's output computed again from its inputs, for the local rule; undefined when it can't be. Null: none.
  at::Tensor (*output)(const Use&, const std::function<at::Tensor(int parameter)>& value) = nullptr;
  /// The gradient with its rows leading, as a parameter in the slot needs them. Null: as it arrives.
  at::Tensor (*lead)(const at::Tensor& delta, int slot) = nullptr;
};

/// Null when nothing is known about the node.
const Rule* find_rule(const torch::autograd::Node& node);

extern const Rule kLinearAddmm, kLinearMm, kLinearMv, kLinearBmm, kConvolution0, kConvolution1, kBatchNorm, kGroupNorm,
    kLayerNorm, kPrelu, kEmbedding, kAdd, kSubtract, kMultiply, kDivide, kExpand, kRepeat;

/// What a node saved, as the tensor it was.
template <class Saved>
at::Tensor saved(torch::autograd::Node& node, const Saved& variable) {
  return variable.unpack(node.shared_from_this());
}

/// Enters a gradient, unless there is none.
inline void put(std::map<int, Gradient>& all, int slot, Gradient gradient) {
  if (gradient.each) all[slot] = std::move(gradient);
}

/// Gradients of samples, each of them in `shape`: [count, *shape].
at::Tensor reshape_each(const at::Tensor& each, const std::vector<int64_t>& shape);

/// Whether a batch of images or volumes lies in memory with its channels innermost, and in no other order too.
bool channels_innermost(const at::Tensor& t);

/// The shape of the node's input in a slot, as the node saw it.
std::vector<int64_t> input_shape(const torch::autograd::Node& node, int slot);

/// The gradient of an input that the node broadcast over the samples: delta * factor * scale (factor undefined: 1),
/// summed over every other dimension in which the input was broadcast. Without `each` when it wasn't broadcast so.
Gradient broadcast_gradient(const Arrival& arrival, int slot, const at::Tensor& factor = {}, double scale = 1);

}  // namespace mas
