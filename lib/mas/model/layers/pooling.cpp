#include <array>

#include <fmt/format.h>

#include "mas/model/layers/builders.h"

namespace mas {
namespace {

struct Window {
  std::array<int64_t, 2> kernel, stride, padding;
  bool ceil;
};

// Reads a window and sets the layer's output; torch's rules: stride is the kernel, padding at most half of it.
Window read_window(LayerSpec& spec, const Shape& input, const std::string& type, Layer& layer) {
  if (input.size() != 3) spec.fail(fmt::format("{} needs samples [C, H, W], got [{}]", type, fmt::join(input, ", ")));
  Window w;
  w.kernel = spec.pair("kernel", 1);
  w.stride = spec.pair("stride", 1, w.kernel);
  w.padding = spec.pair("padding", 0, {0, 0});
  w.ceil = spec.boolean("ceil", false);
  layer.output = {input[0]};
  for (int i = 0; i < 2; i++) {
    if (w.padding[i] > w.kernel[i] / 2) spec.fail("\"padding\" must be at most half of the kernel");
    layer.output.push_back(window_positions(input[i + 1], w.kernel[i], w.stride[i], w.padding[i], 1, w.ceil));
    if (layer.output.back() < 1) {
      spec.fail(fmt::format("a window of {}x{} doesn't fit on {}x{}", w.kernel[0], w.kernel[1], input[1], input[2]));
    }
  }
  return w;
}

}  // namespace

Layer build_max_pool2d(LayerSpec& spec, const Shape& input) {
  Layer layer;
  const Window w = read_window(spec, input, "max_pool2d", layer);
  layer.forward = [w](const Layer&, const at::Tensor& x, bool) {
    return at::max_pool2d(x, w.kernel, w.stride, w.padding, {1, 1}, w.ceil);
  };
  return layer;
}

Layer build_avg_pool2d(LayerSpec& spec, const Shape& input) {
  Layer layer;
  const Window w = read_window(spec, input, "avg_pool2d", layer);
  layer.forward = [w](const Layer&, const at::Tensor& x, bool) {
    return at::avg_pool2d(x, w.kernel, w.stride, w.padding, w.ceil);
  };
  return layer;
}

Layer build_adaptive_avg_pool2d(LayerSpec& spec, const Shape& input) {
  if (input.size() != 3) spec.fail("adaptive_avg_pool2d needs samples [C, H, W]");
  Layer layer;
  const auto out = spec.pair("out", 1);
  layer.output = {input[0], out[0], out[1]};
  layer.forward = [out](const Layer&, const at::Tensor& x, bool) { return at::adaptive_avg_pool2d(x, out); };
  return layer;
}

}  // namespace mas
