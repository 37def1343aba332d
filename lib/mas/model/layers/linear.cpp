#include <cmath>

#include "mas/model/layers/builders.h"

namespace mas {
namespace {

Layer linear(LayerSpec& spec, const Shape& input) {
  if (input.empty()) spec.fail("needs at least one feature");
  Layer layer;
  const int64_t out = spec.integer("out", 1);
  add_weights(spec, layer, {out, input.back()}, out);
  layer.output = input;
  layer.output.back() = out;
  layer.forward = [](const Layer& self, const at::Tensor& x, bool) {
    return at::linear(x, self.tensors.at("weight"), self.optional("bias"));
  };
  return layer;
}

}  // namespace

void add_weights(LayerSpec& spec, Layer& layer, const Shape& weight, int64_t out) {
  const double deviation = spec.number("std", 0, 1e3, 0);
  // torch.nn: Kaiming uniform with a = sqrt(5) is 1/sqrt(fan in), for weight and bias alike. Fan in is all but the
  // first dimension, also of transposed convolutions.
  const double bound = deviation > 0 ? 0 : std::sqrt(static_cast<double>(weight[0]) / value_count(weight));
  layer.slots["weight"] = {weight, bound, 0, false, deviation};
  if (spec.boolean("bias", true)) layer.slots["bias"] = {{out}, bound};
}

LayerBuilders linear_layers() { return {{"linear", linear}}; }

}  // namespace mas
