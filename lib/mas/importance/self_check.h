#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mas/importance/subject.h"

namespace mas {

/// Compares what a batch gives by the rules with what its samples give alone, and remembers which uses of which
/// parameters were found right.
///
/// Rounding decides some ReLUs and poolings in another way for a sample alone than in a batch, and gradients jump
/// there. So where the two differ by little, the sample is compared once more in a batch of the same size that it fills
/// alone: the same decisions, and no other sample to be influenced by.
class SelfCheck {
 public:
  using Keys = std::vector<std::string>;  ///< of all parameters: how a pass uses each; empty: not at all
  /// How far the fast path is known to be right for a parameter as it is used.
  enum class Trust {
    kNone,   ///< not compared yet
    kQuiet,  ///< it had no importance in the samples compared
    kFull
  };

  /// Sets the subject's orders as it finds them.
  SelfCheck(Subject& subject, const EstimatorOptions& options)
      : subject_(subject), samples_(options.check_samples), tolerance_(options.check_tolerance) {}

  Keys keys_of(const Graph& graph, const Samples& samples) const;
  /// Those that are used, active and trusted so.
  Chosen trusted(Trust how, const std::vector<bool>& active, const Keys& keys);

  // y [n, ...]: the outputs of a part of n samples, without their graph.
  /// Compares on a few samples of a part.
  Faults check(const Samples& part, const at::Tensor& y, const Chosen& chosen, const Keys& keys);
  /// Compares what `part` gave already.
  Faults check_sums(const Samples& part, const at::Tensor& y, const Chosen& chosen, std::vector<Accumulator>& sums,
                    const Keys& keys);
  /// Compares what was trusted before, on a few samples of a later part.
  Faults check_again(const Samples& part, const at::Tensor& y, const Chosen& chosen, const Keys& keys);

 private:
  using Terms = std::map<int, double>;      // Σ|δ| of what may have cancelled, see Pass::arrived()
  using Distances = std::map<int, double>;  // relative to the maximum, of what differs

  bool same_in_another_order(const Samples& part, const at::Tensor& y) const;
  Faults check_batch(const Samples& part, const at::Tensor& y, const Chosen& chosen, const Keys& keys);
  Faults check_group(const Samples& part, const at::Tensor& y, Chosen chosen, const Keys& keys);
  bool crowd(const Samples& part, const std::vector<int64_t>& rows, const Chosen& chosen,
             std::vector<Accumulator>& to) const;
  Distances compare(const Chosen& chosen, std::vector<Accumulator>& fast, std::vector<Accumulator>& alone,
                    const Terms& terms, const Keys& keys);

  Subject& subject_;
  int64_t samples_;
  double tolerance_;
  std::map<std::pair<int, std::string>, Trust> trust_;
};

}  // namespace mas
