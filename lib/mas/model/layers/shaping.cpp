#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "mas/model/layers/builders.h"

namespace mas {
namespace {

Layer flatten(LayerSpec&, const Shape& input) {
  Layer layer;
  layer.output = {std::accumulate(input.begin(), input.end(), int64_t{1}, std::multiplies<>())};
  layer.forward = [](const Layer&, const at::Tensor& x, bool) { return x.flatten(1); };
  return layer;
}

// As at::Tensor::permute counts: dimension 0 is the batch and stays where it is.
Layer permute(LayerSpec& spec, const Shape& input) {
  Layer layer;
  const Shape order = spec.list("dims");
  Shape sorted = order, all(input.size() + 1);
  std::sort(sorted.begin(), sorted.end());
  std::iota(all.begin(), all.end(), 0);
  if (sorted != all || order[0] != 0) {
    spec.fail(fmt::format("\"dims\" must be 0, for the batch, and then 1 to {} in any order", input.size()));
  }
  for (size_t i = 1; i < order.size(); i++) layer.output.push_back(input[static_cast<size_t>(order[i]) - 1]);
  layer.forward = [order](const Layer&, const at::Tensor& x, bool) { return x.permute(order); };
  return layer;
}

}  // namespace

LayerBuilders shapings() { return {{"flatten", flatten}, {"permute", permute}}; }

}  // namespace mas
