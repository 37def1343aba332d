#include <tuple>

#include <fmt/format.h>

#include "mas/model/layers/builders.h"

namespace mas {
namespace {

struct Window {
  Shape kernel, stride, padding;
  bool ceil = false;
};

// Reads a window and sets the layer's output; torch's rules: stride is the kernel, padding at most half of it.
Window read_window(LayerSpec& spec, const Shape& input, size_t dimensions, Layer& layer) {
  spec.need_channels(input, dimensions);
  Window w;
  w.kernel = spec.sizes("kernel", dimensions, 1);
  w.stride = spec.sizes("stride", dimensions, 1, w.kernel);
  w.padding = spec.sizes("padding", dimensions, 0, Shape(dimensions, 0));
  w.ceil = spec.boolean("ceil", false);
  layer.output = {input[0]};
  for (size_t i = 0; i < dimensions; i++) {
    if (w.padding[i] > w.kernel[i] / 2) spec.fail("\"padding\" must be at most half of the kernel");
    layer.output.push_back(window_positions(input[i + 1], w.kernel[i], w.stride[i], w.padding[i], 1, w.ceil));
    if (layer.output.back() < 1) {
      spec.fail(fmt::format("a window of {} doesn't fit on {}", fmt::join(w.kernel, "x"),
                            fmt::join(input.begin() + 1, input.end(), "x")));
    }
  }
  return w;
}

template <size_t kDimensions>
Layer max_pool(LayerSpec& spec, const Shape& input) {
  Layer layer;
  const Window w = read_window(spec, input, kDimensions, layer);
  layer.forward = [w](const Layer&, const at::Tensor& x, bool) {
    const Shape dilation(kDimensions, 1);
    if constexpr (kDimensions == 1) return at::max_pool1d(x, w.kernel, w.stride, w.padding, dilation, w.ceil);
    if constexpr (kDimensions == 2) return at::max_pool2d(x, w.kernel, w.stride, w.padding, dilation, w.ceil);
    if constexpr (kDimensions == 3) return at::max_pool3d(x, w.kernel, w.stride, w.padding, dilation, w.ceil);
  };
  return layer;
}

template <size_t kDimensions>
Layer avg_pool(LayerSpec& spec, const Shape& input) {
  Layer layer;
  const Window w = read_window(spec, input, kDimensions, layer);
  layer.forward = [w](const Layer&, const at::Tensor& x, bool) {
    if constexpr (kDimensions == 1) return at::avg_pool1d(x, w.kernel, w.stride, w.padding, w.ceil);
    if constexpr (kDimensions == 2) return at::avg_pool2d(x, w.kernel, w.stride, w.padding, w.ceil);
    if constexpr (kDimensions == 3) return at::avg_pool3d(x, w.kernel, w.stride, w.padding, w.ceil);
  };
  return layer;
}

// To a size that is given, from any.
template <size_t kDimensions, bool kMax>
Layer adaptive_pool(LayerSpec& spec, const Shape& input) {
  spec.need_channels(input, kDimensions);
  Layer layer;
  const Shape out = spec.sizes("out", kDimensions, 1);
  layer.output = {input[0]};
  layer.output.insert(layer.output.end(), out.begin(), out.end());
  layer.forward = [out](const Layer&, const at::Tensor& x, bool) {
    if constexpr (kMax && kDimensions == 1) return std::get<0>(at::adaptive_max_pool1d(x, out));
    if constexpr (kMax && kDimensions == 2) return std::get<0>(at::adaptive_max_pool2d(x, out));
    if constexpr (kMax && kDimensions == 3) return std::get<0>(at::adaptive_max_pool3d(x, out));
    if constexpr (!kMax && kDimensions == 1) return at::adaptive_avg_pool1d(x, out);
    if constexpr (!kMax && kDimensions == 2) return at::adaptive_avg_pool2d(x, out);
    if constexpr (!kMax && kDimensions == 3) return at::adaptive_avg_pool3d(x, out);
  };
  return layer;
}

}  // namespace

int64_t window_positions(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, bool ceil) {
  const int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
  if (room < 0) return 0;
  int64_t positions = (room + (ceil ? stride - 1 : 0)) / stride + 1;
  // A window that would start in the right-hand padding is left out, as torch does.
  if (ceil && (positions - 1) * stride >= size + padding) --positions;
  return positions;
}

LayerBuilders poolings() {
  return {{"max_pool1d", max_pool<1>},
          {"max_pool2d", max_pool<2>},
          {"max_pool3d", max_pool<3>},
          {"avg_pool1d", avg_pool<1>},
          {"avg_pool2d", avg_pool<2>},
          {"avg_pool3d", avg_pool<3>},
          {"adaptive_max_pool1d", adaptive_pool<1, true>},
          {"adaptive_max_pool2d", adaptive_pool<2, true>},
          {"adaptive_max_pool3d", adaptive_pool<3, true>},
          {"adaptive_avg_pool1d", adaptive_pool<1, false>},
          {"adaptive_avg_pool2d", adaptive_pool<2, false>},
          {"adaptive_avg_pool3d", adaptive_pool<3, false>}};
}

}  // namespace mas
