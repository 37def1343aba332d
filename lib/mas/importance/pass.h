#pragma once
#include <ATen/ATen.h>

#include <map>
#include <string>
#include <vector>

#include "mas/importance/accumulator.h"
#include "mas/importance/estimator.h"
#include "mas/importance/graph.h"

namespace mas {

/// One forward pass over a batch and, for kMas, one engine call from its output, whose per-sample gradients go through
/// the rules into accumulators. No weight gradient is computed.
class Pass {
 public:
  /// Runs F on x with gradients on. Parameters with active[i] false are left alone.
  Pass(const Forward& forward, const at::Tensor& x, const ParameterIndex& index, const std::vector<bool>& active,
       Method method);

  const at::Tensor& output() const { return y_; }
  const Graph& graph() const { return graph_; }

  /// Adds the samples' importance to accumulators[i] of every active parameter that a rule covers; once. With `rows`,
  /// of these samples alone, though all are in the batch; then a layer is refused whose gradients show that samples
  /// influence one another.
  void add(const std::vector<at::Tensor>& parameters, std::vector<Accumulator>& accumulators,
           const std::vector<int64_t>& rows = {});

  /// Parameters nothing was added for, and why.
  const std::map<int, std::string>& refused() const { return refused_; }
  /// The rules that parameters were added by.
  const std::map<int, std::string>& rules() const { return rules_; }

 private:
  struct Waiting {
    Leaf leaf;
    Gradient gradient;
  };
  void backward();
  void local(const std::vector<at::Tensor>& parameters);
  void arrive(const Use& use, at::Tensor delta);
  void add_gradient(int parameter, const Leaf& leaf, const Gradient& gradient);
  void add_together(int parameter, const std::vector<Waiting>& uses);
  bool coupled(const at::Tensor& delta) const;
  at::Tensor masked(const at::Tensor& seed) const;

  Method method_;
  int64_t samples_;
  at::Tensor y_;
  Graph graph_;
  std::vector<int64_t> rows_;
  std::vector<Accumulator>* accumulators_ = nullptr;
  std::map<int, std::vector<Waiting>> waiting_;  // need what hooks can't do, or their other uses
  std::map<int, std::string> refused_, rules_;
};

}  // namespace mas
