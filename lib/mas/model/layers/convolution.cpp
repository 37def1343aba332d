#include <cmath>

#include <fmt/format.h>

#include "mas/model/layers/builders.h"

namespace mas {

Layer build_conv2d(LayerSpec& spec, const Shape& input) {
  if (input.size() != 3) spec.fail(fmt::format("conv2d needs samples [C, H, W], got [{}]", fmt::join(input, ", ")));
  Layer layer;
  const int64_t out = spec.integer("out", 1), groups = spec.integer("groups", 1, 1);
  const auto kernel = spec.pair("kernel", 1), stride = spec.pair("stride", 1, {1, 1});
  const auto padding = spec.pair("padding", 0, {0, 0}), dilation = spec.pair("dilation", 1, {1, 1});
  if (input[0] % groups || out % groups) {
    spec.fail(fmt::format("{} input and {} output channels don't divide into {} groups", input[0], out, groups));
  }
  layer.output = {out};
  for (int i = 0; i < 2; i++) {
    layer.output.push_back(window_positions(input[i + 1], kernel[i], stride[i], padding[i], dilation[i], false));
    if (layer.output.back() < 1) {
      spec.fail(fmt::format("a kernel of {}x{} doesn't fit on {}x{}", kernel[0], kernel[1], input[1], input[2]));
    }
  }
  const double bound = 1 / std::sqrt(static_cast<double>(input[0] / groups) * kernel[0] * kernel[1]);
  layer.slots["weight"] = {{out, input[0] / groups, kernel[0], kernel[1]}, bound};
  if (spec.boolean("bias", true)) layer.slots["bias"] = {{out}, bound};
  layer.forward = [=](const Layer& self, const at::Tensor& x, bool) {
    const auto bias = self.tensors.find("bias");
    return at::conv2d(x, self.tensors.at("weight"),
                      bias == self.tensors.end() ? c10::nullopt : c10::optional<at::Tensor>(bias->second), stride,
                      padding, dilation, groups);
  };
  return layer;
}

}  // namespace mas
