#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "mas/importance/accumulator.h"
#include "mas/importance/estimator.h"
#include "mas/importance/graph.h"
#include "mas/importance/seeds.h"

namespace mas {

/// One forward pass over samples and, for kMas and kFisher, an engine call from its output for each seed, whose
/// per-sample gradients go through the rules into accumulators. No weight gradient is computed.
class Pass {
 public:
  /// Runs F on x with gradients on. Parameters with active[i] false are left alone; orders[i] says where the samples
  /// are among the rows of the nodes that use parameter i.
  Pass(const Forward& forward, const at::Tensor& x, const ParameterIndex& index, const std::vector<bool>& active,
       const std::vector<Order>& orders, Method method);

  const at::Tensor& output() const { return y_; }
  const Graph& graph() const { return graph_; }

  /// Adds the samples' importance to accumulators[i] of every active parameter that a rule covers; once. `seeds` and
  /// `given`: of the output; unused by kLocal. With `rows`, of these samples alone, though all are in the batch: one
  /// after the other is seeded alone, and a layer is refused whose gradients show that samples influence one another,
  /// or turned where they lie in another order.
  void add(const std::vector<at::Tensor>& parameters, std::vector<Accumulator>& accumulators, const Seeds& seeds,
           const at::Tensor& given, const std::vector<int64_t>& rows = {});

  /// Parameters nothing was added for, and why; but for those that are torn().
  const std::map<int, std::string>& refused() const { return refused_; }
  /// Whether one was refused after some of its gradients, those of other parts or samples, had been added.
  bool torn(int parameter) const { return refused_.count(parameter) && added_.count(parameter); }
  /// Parameters nothing was added for because their samples are in this order.
  const std::map<int, Order>& turned() const { return turned_; }
  /// Of parameters whose gradients are sums of δ alone, where `rows` were given: Σ|δ|, which tells how much may have
  /// cancelled.
  std::map<int, double> arrived() const;
  /// The rules that parameters were added by.
  const std::map<int, std::set<std::string>>& rules() const { return rules_; }

 private:
  struct Waiting {
    Leaf leaf;
    Gradient gradient;
  };
  void backward(const Seeds& seeds, const at::Tensor& given);
  void local(const std::vector<at::Tensor>& parameters);
  void arrive(const Use& use, const at::Tensor& delta);
  void take(const Use& use, const char* rule, const std::set<int>& slots, const std::map<int, Gradient>& gradients);
  void guarded(const std::vector<int>& parameters, const std::function<void()>& work);
  bool in_order(int parameter, const at::Tensor& lead);
  void add_gradient(int parameter, const Leaf& leaf, const Gradient& gradient);
  void add_waiting();
  void add_together(int parameter, const std::vector<Waiting>& uses);
  bool coupled(const at::Tensor& apart) const;
  at::Tensor masked(const at::Tensor& seed) const;
  bool alone() const { return row_ >= 0 && samples_ > 1; }

  Method method_;
  int64_t samples_;
  const std::vector<Order>& orders_;
  at::Tensor y_;
  Graph graph_;
  bool tapped_ = false, kept_ = false;  // the graph has its hooks; it is needed again
  int64_t row_ = -1;                    // the sample that is seeded alone; -1: all are seeded
  std::vector<Accumulator>* accumulators_ = nullptr;
  std::map<int, std::vector<Waiting>> waiting_;  // need what hooks can't do, or their other uses
  std::map<int, std::string> refused_;
  std::map<int, std::set<std::string>> rules_;
  std::map<int, Order> turned_;
  std::map<int, double> arrived_;
  std::set<int> not_plain_, added_;
};

}  // namespace mas
