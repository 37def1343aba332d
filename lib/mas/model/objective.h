#pragma once
#include <ATen/ATen.h>

#include "mas/data/dataset.h"
#include "mas/model/model.h"

namespace mas {

/// Squared Euclidean distances [n, m] of outputs [n, values] to vectors [m, values], over the values that a vector has;
/// those that it hasn't are NaN. Summed in float64, and equal vectors have equal distances.
at::Tensor fact_distances(const at::Tensor& outputs, const at::Tensor& vectors);

/// What outputs are trained towards and judged by: classes, or in scenario facts the data's vectors (Aljundi et al.
/// 2018, section 5.2, after Elhoseiny et al. 2017).
class Objective {
 public:
  /// Throws Error in scenario facts where the data have no vectors.
  Objective(Scenario scenario, const Dataset& data);

  /// Mean over samples of the cross entropy; or of the squared Euclidean distance to the target's vector, over the
  /// values that it has. outputs [n, outputs], targets int64 [n] as Model::targets() gives them.
  at::Tensor loss(const at::Tensor& outputs, const at::Tensor& targets) const;
  /// How many samples have their largest output at the target; or are no nearer to another fact than to their own,
  /// among those of the same form, <S>, <S, P> or <S, P, O>.
  int64_t count_right(const at::Tensor& outputs, const at::Tensor& targets) const;

 private:
  // Of facts; undefined: classes.
  at::Tensor values_, has_;  // [facts, values], 0 where there is none
  at::Tensor forms_;         // int64 [facts]: facts of one form have the same number
};

}  // namespace mas
