#include <fmt/format.h>

#include "mas/model/layers/builders.h"

namespace mas {
namespace {

// layers(x) + shortcut(x); without a shortcut, layers(x) + x.
Layer residual(LayerSpec& spec, const Shape& input) {
  Layer layer;
  layer.branches = {spec.layers("layers", input), spec.layers("shortcut", input)};
  if (layer.branches[0].empty()) spec.fail("\"layers\" is missing or empty");
  layer.output = output_shape(layer.branches[0], input);
  const Shape shortcut = output_shape(layer.branches[1], input);
  if (layer.output != shortcut) {
    spec.fail(fmt::format("the layers give [{}] and the shortcut [{}], which don't add up",
                          fmt::join(layer.output, ", "), fmt::join(shortcut, ", ")));
  }
  layer.forward = [](const Layer& self, const at::Tensor& x, bool training) {
    return run_layers(self.branches[0], x, training) + run_layers(self.branches[1], x, training);
  };
  return layer;
}

// The branches' outputs for the same x, joined along the channels.
Layer concat(LayerSpec& spec, const Shape& input) {
  Layer layer;
  layer.branches = spec.branches("branches", input);
  if (layer.branches.empty()) spec.fail("\"branches\" is missing or empty");
  layer.output = output_shape(layer.branches[0], input);
  if (layer.output.empty()) spec.fail("needs channels to join along");
  for (size_t i = 1; i < layer.branches.size(); i++) {
    Shape output = output_shape(layer.branches[i], input);
    if (output.empty() ||
        Shape(output.begin() + 1, output.end()) != Shape(layer.output.begin() + 1, layer.output.end())) {
      spec.fail(fmt::format("branch {} gives [{}], which doesn't join [{}] along the channels", i + 1,
                            fmt::join(output, ", "), fmt::join(layer.output, ", ")));
    }
    layer.output[0] += output[0];
  }
  layer.forward = [](const Layer& self, const at::Tensor& x, bool training) {
    std::vector<at::Tensor> outputs;
    for (const auto& branch : self.branches) outputs.push_back(run_layers(branch, x, training));
    return at::cat(outputs, 1);
  };
  return layer;
}

}  // namespace

LayerBuilders containers() { return {{"residual", residual}, {"concat", concat}}; }

}  // namespace mas
