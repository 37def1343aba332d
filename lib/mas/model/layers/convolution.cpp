#include <fmt/format.h>

#include "mas/model/layers/builders.h"

namespace mas {
namespace {

// Length of a transposed convolution's output; a double, because the sizes needn't fit each other.
double transposed_length(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                         int64_t output_padding) {
  return static_cast<double>(size - 1) * static_cast<double>(stride) - 2.0 * static_cast<double>(padding) +
         static_cast<double>(dilation) * static_cast<double>(kernel - 1) + static_cast<double>(output_padding) + 1;
}

template <size_t kDimensions, bool kTransposed>
Layer convolution(LayerSpec& spec, const Shape& input) {
  spec.need_channels(input, kDimensions);
  Layer layer;
  const Shape ones(kDimensions, 1), zeros(kDimensions, 0);
  const int64_t in = input[0], out = spec.integer("out", 1), groups = spec.integer("groups", 1, 1);
  const Shape kernel = spec.sizes("kernel", kDimensions, 1), stride = spec.sizes("stride", kDimensions, 1, ones);
  const Shape padding = spec.sizes("padding", kDimensions, 0, zeros);
  const Shape dilation = spec.sizes("dilation", kDimensions, 1, ones);
  const Shape output_padding = kTransposed ? spec.sizes("output_padding", kDimensions, 0, zeros) : zeros;
  if (in % groups || out % groups) {
    spec.fail(fmt::format("{} input and {} output channels don't divide into {} groups", in, out, groups));
  }
  layer.output = {out};
  for (size_t i = 0; i < kDimensions; i++) {
    const int64_t size = input[i + 1];
    if (output_padding[i] > 0 && output_padding[i] >= std::max(stride[i], dilation[i])) {
      spec.fail("\"output_padding\" must be smaller than the stride or the dilation");
    }
    const double length =
        kTransposed ? transposed_length(size, kernel[i], stride[i], padding[i], dilation[i], output_padding[i])
                    : static_cast<double>(window_positions(size, kernel[i], stride[i], padding[i], dilation[i], false));
    if (length < 1 || length > kMostValues) {
      spec.fail(fmt::format("a kernel of {} doesn't fit on {}", fmt::join(kernel, "x"),
                            fmt::join(input.begin() + 1, input.end(), "x")));
    }
    layer.output.push_back(static_cast<int64_t>(length));
  }
  Shape weight = kTransposed ? Shape{in, out / groups} : Shape{out, in / groups};
  weight.insert(weight.end(), kernel.begin(), kernel.end());
  add_weights(spec, layer, weight, out);
  layer.forward = [=](const Layer& self, const at::Tensor& x, bool) {
    return at::convolution(x, self.tensors.at("weight"), self.optional("bias"), stride, padding, dilation, kTransposed,
                           output_padding, groups);
  };
  return layer;
}

}  // namespace

LayerBuilders convolutions() {
  return {{"conv1d", convolution<1, false>},          {"conv2d", convolution<2, false>},
          {"conv3d", convolution<3, false>},          {"conv_transpose1d", convolution<1, true>},
          {"conv_transpose2d", convolution<2, true>}, {"conv_transpose3d", convolution<3, true>}};
}

}  // namespace mas
