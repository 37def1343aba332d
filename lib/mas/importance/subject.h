#pragma once
#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mas/importance/accumulator.h"
#include "mas/importance/estimator.h"
#include "mas/importance/pass.h"
#include "mas/importance/samples.h"

namespace mas {

using Chosen = std::vector<int>;            ///< parameters, by their numbers in Subject::parameters
using Faults = std::map<int, std::string>;  ///< why a way to measure doesn't do for a parameter

/// What is measured of which network, and the two ways to measure it for some of its parameters.
struct Subject {
  Forward forward;
  Method method;
  Seeds seeds;
  std::vector<at::Tensor> parameters;  ///< leaves of F's graph, each once
  ParameterIndex index;
  std::vector<Order> orders;  ///< where the samples lie among the rows of what uses a parameter, as far as is known
  std::vector<bool> used;     ///< whether F has had a gradient to it

  Measure measure() const { return method == Method::kFisher ? Measure::kSquare : Measure::kAbsolute; }
  /// Empty ones, one a parameter; `brief` as in Accumulator.
  std::vector<Accumulator> accumulators(bool brief = false) const;
  /// By the rules, all samples at once.
  std::unique_ptr<Pass> pass(const Samples& samples, const std::vector<bool>& active) const;
  std::unique_ptr<Pass> pass(const Samples& samples, const Chosen& chosen) const;
  /// By a pass over each sample alone: without rules, but for the local method, which has nothing else; what it has no
  /// rule for is returned.
  Faults loop(const Samples& samples, const Chosen& chosen, std::vector<Accumulator>& to);
  void note_uses(const Graph& graph);
};

}  // namespace mas
