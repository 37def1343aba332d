#include <numeric>

#include "mas/model/layers/builders.h"

namespace mas {
namespace {

template <class F>
Layer elementwise(const Shape& input, F f) {
  Layer layer;
  layer.output = input;
  layer.forward = [f](const Layer&, const at::Tensor& x, bool training) { return f(x, training); };
  return layer;
}

}  // namespace

Layer build_relu(LayerSpec&, const Shape& input) {
  return elementwise(input, [](const at::Tensor& x, bool) { return at::relu(x); });
}

Layer build_tanh(LayerSpec&, const Shape& input) {
  return elementwise(input, [](const at::Tensor& x, bool) { return at::tanh(x); });
}

Layer build_sigmoid(LayerSpec&, const Shape& input) {
  return elementwise(input, [](const at::Tensor& x, bool) { return at::sigmoid(x); });
}

Layer build_dropout(LayerSpec& spec, const Shape& input) {
  const double p = spec.number("p", 0, 0.999, 0.5);
  return elementwise(input, [p](const at::Tensor& x, bool training) { return at::dropout(x, p, training); });
}

Layer build_flatten(LayerSpec&, const Shape& input) {
  Layer layer;
  layer.output = {std::accumulate(input.begin(), input.end(), int64_t{1}, std::multiplies<>())};
  layer.forward = [](const Layer&, const at::Tensor& x, bool) { return x.flatten(1); };
  return layer;
}

}  // namespace mas
