#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <vector>

#include "mas/importance/estimator.h"

namespace mas {

/// Gradients of ||F||^2, a few samples at a time: the exact and slow way, for any network.
/// For each block of `block` samples of x (the last may be smaller) and each parameter in `chosen`, gives the gradient
/// summed over the block; undefined when F doesn't use the parameter. Only the chosen ones require gradients meanwhile.
void loop_gradients(const Forward& forward, const std::vector<at::Tensor>& parameters, const std::vector<int>& chosen,
                    const at::Tensor& x, int64_t block,
                    const std::function<void(int parameter, const at::Tensor& gradient)>& give);

}  // namespace mas
