#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <vector>

#include "mas/importance/estimator.h"
#include "mas/importance/samples.h"
#include "mas/importance/seeds.h"

namespace mas {

/// Gradients a few samples at a time: the exact and slow way, for any network. For each block of `block` samples (the
/// last may be smaller), each of its seeds and each parameter in `chosen`, gives the gradient summed over the block;
/// undefined when F doesn't use the parameter. Only the chosen ones require gradients meanwhile. Throws Error as
/// check_outputs() does.
void loop_gradients(const Forward& forward, const std::vector<at::Tensor>& parameters, const std::vector<int>& chosen,
                    const Samples& samples, const Seeds& seeds, int64_t block,
                    const std::function<void(int parameter, const at::Tensor& gradient)>& give);

}  // namespace mas
