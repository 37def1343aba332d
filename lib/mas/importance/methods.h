#pragma once
#include <string>

#include "mas/importance/estimator.h"

namespace mas {

/// What importance can be, by the name that mas-importance's --method and model files have for it. A new one is a line
/// in the table of methods.cpp.
struct ImportanceMethod {
  enum class Origin {
    kSamples,   ///< read by mas-importance: the mean over them
    kTraining,  ///< the way of the weights, recorded by mas-train --track
    kConstant   ///< nothing that was measured
  };
  std::string name;
  Origin origin = Origin::kSamples;
  Method measure = Method::kMas;  ///< of samples
  /// What λ Σ Ω (θ − θ*)² is multiplied by: ½ for ewc, whose formula has it (Kirkpatrick et al. 2017, eq. 3).
  double penalty_factor = 1;
  std::string combine = "sum";  ///< the rule for tasks that its paper has, see importance.h
};

/// Whether it is in the table; files of other programs may have others.
bool is_method(const std::string& name);

/// The method of a file's importance. One that isn't in the table is as of samples, with factor 1: it is refused where
/// importance is used (check_combinable()), and can still be forgotten.
const ImportanceMethod& method_called(const std::string& name);

/// Throws UsageError where mas-importance makes no such importance.
const ImportanceMethod& parse_method(const std::string& text);

}  // namespace mas
