#include <cmath>

#include <fmt/format.h>

#include "mas/model/layers/builders.h"

namespace mas {

Layer build_linear(LayerSpec& spec, const Shape& input) {
  if (input.empty()) spec.fail("linear needs at least one feature");
  Layer layer;
  const int64_t out = spec.integer("out", 1), in = input.back();
  // torch.nn.Linear: Kaiming uniform with a = sqrt(5) is 1/sqrt(fan in), for weight and bias alike.
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  layer.slots["weight"] = {{out, in}, bound};
  if (spec.boolean("bias", true)) layer.slots["bias"] = {{out}, bound};
  layer.output = input;
  layer.output.back() = out;
  layer.forward = [](const Layer& self, const at::Tensor& x, bool) {
    const auto bias = self.tensors.find("bias");
    return at::linear(x, self.tensors.at("weight"),
                      bias == self.tensors.end() ? c10::nullopt : c10::optional<at::Tensor>(bias->second));
  };
  return layer;
}

}  // namespace mas
