#include <fmt/format.h>

#include "mas/model/layers/builders.h"

namespace mas {

Layer build_batch_norm2d(LayerSpec& spec, const Shape& input) {
  if (input.size() != 3) {
    spec.fail(fmt::format("batch_norm2d needs samples [C, H, W], got [{}]", fmt::join(input, ", ")));
  }
  Layer layer;
  const double eps = spec.number("eps", 0, 1, 1e-5), momentum = spec.number("momentum", 0, 1, 0.1);
  layer.slots["weight"] = {{input[0]}, 0, 1};
  layer.slots["bias"] = {{input[0]}};
  layer.slots["running_mean"] = {{input[0]}, 0, 0, true};
  layer.slots["running_var"] = {{input[0]}, 0, 1, true};
  layer.output = input;
  layer.forward = [=](const Layer& self, const at::Tensor& x, bool training) {
    return at::batch_norm(x, self.tensors.at("weight"), self.tensors.at("bias"), self.tensors.at("running_mean"),
                          self.tensors.at("running_var"), training, momentum, eps, false);
  };
  return layer;
}

}  // namespace mas
