#include "mas/model/objective.h"

#include <limits>

#include "mas/error.h"
#include "mas/model/accuracy.h"

namespace mas {

at::Tensor fact_distances(const at::Tensor& outputs, const at::Tensor& vectors) {
  const at::Tensor has = vectors.isnan().logical_not().to(at::kDouble);
  const at::Tensor values = vectors.to(at::kDouble).nan_to_num(0), y = outputs.to(at::kDouble);
  at::Tensor distances = at::empty({y.size(0), vectors.size(0)}, at::kDouble);
  for (int64_t j = 0; j < vectors.size(0); j++)  // no difference of large sums: ties stay ties
    distances.select(1, j).copy_(((y - values[j]).square() * has[j]).sum(1));
  return distances;
}

Objective::Objective(Scenario scenario, const Dataset& data) {
  if (scenario != Scenario::kFacts) return;
  const at::Tensor vectors = data.class_vectors();
  if (!vectors.defined()) throw Error("data", "no vectors of facts to learn");
  has_ = vectors.isnan().logical_not().to(at::kFloat);
  values_ = vectors.nan_to_num(0);
  forms_ = std::get<1>(at::unique_dim(has_, 0, /*sorted=*/true, /*return_inverse=*/true));
}

at::Tensor Objective::loss(const at::Tensor& outputs, const at::Tensor& targets) const {
  if (!values_.defined()) return at::cross_entropy_loss(outputs, targets);
  const at::Tensor off = (outputs - values_.index_select(0, targets)) * has_.index_select(0, targets);
  return off.square().sum() / outputs.size(0);
}

int64_t Objective::count_right(const at::Tensor& outputs, const at::Tensor& targets) const {
  if (!values_.defined()) return mas::count_right(outputs, targets);
  // In products of matrices, for this is asked at each step; so equal distances are so only nearly.
  const at::Tensor y = outputs.to(at::kDouble), v = values_.to(at::kDouble);
  const at::Tensor distances = y.square().mm(has_.to(at::kDouble).t()) - 2 * y.mm(v.t()) + v.square().sum(1);
  const at::Tensor other = forms_.index_select(0, targets).unsqueeze(1).ne(forms_.unsqueeze(0));
  const at::Tensor nearest = std::get<0>(distances.masked_fill(other, std::numeric_limits<double>::infinity()).min(1));
  const at::Tensor own = distances.gather(1, targets.unsqueeze(1)).squeeze(1);
  return own.le(nearest + 1e-9 * nearest.abs() + 1e-9).sum().item<int64_t>();
}

}  // namespace mas
