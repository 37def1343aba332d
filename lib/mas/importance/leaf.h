#pragma once
#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>

#include <memory>
#include <string>
#include <vector>

namespace mas {

/// An edge that leads to a parameter, through nodes that have no other input: that rearrange its elements (transpose,
/// view, ...), take a part of them (slice, split, ...) or map them one by one (exp, softplus, ...).
struct Leaf {
  struct Step {
    std::shared_ptr<torch::autograd::Node> node;
    uint32_t output = 0;  ///< which of the node's outputs is used
  };
  int parameter = -1;          ///< -1: the edge leads elsewhere
  std::vector<int64_t> shape;  ///< the parameter's
  std::vector<Step> chain;     ///< from the using node to the parameter
  bool moves = true;           ///< the chain only moves elements: |.| and squares commute with pull()

  /// From a gradient in the shape that the using node saw to one in the parameter's own; where the leaf only moves
  /// elements, also for sums of |.|. Not inside a hook of the autograd engine: nodes give undefined tensors there.
  at::Tensor pull(at::Tensor value) const;
  /// Whether the chain is of transposes of matrices alone.
  bool transposes() const;
  /// Equal for leaves that see the same elements in the same way.
  std::string signature() const;
};

/// Whether no element of a parameter is seen by two of its leaves, as far as slices, selections and splits tell.
bool lie_apart(const std::vector<const Leaf*>& leaves);

/// Of a node that puts dimensions in another order: which one. Else empty.
std::string turned_dimensions(const torch::autograd::Node& node);

}  // namespace mas
