#include <algorithm>

#include <fmt/format.h>

#include "mas/model/layers/builders.h"

namespace mas {
namespace {

double read_eps(LayerSpec& spec) { return spec.number("eps", 0, 1, 1e-5); }

// The slots "weight", of ones, and "bias".
void add_affine(LayerSpec& spec, Layer& layer, const Shape& shape, bool fallback = true) {
  if (!spec.boolean("affine", fallback)) return;
  layer.slots["weight"] = {shape, 0, 1};
  layer.slots["bias"] = {shape};
}

template <size_t kDimensions>
Layer batch_norm(LayerSpec& spec, const Shape& input) {
  const bool flat = kDimensions == 1 && input.size() == 1;  // torch.nn.BatchNorm1d takes [C] too
  spec.need_channels(input, flat ? 0 : kDimensions);
  Layer layer;
  const double eps = read_eps(spec), momentum = spec.number("momentum", 0, 1, 0.1);
  add_affine(spec, layer, {input[0]});
  layer.slots["running_mean"] = {{input[0]}, 0, 0, true};
  layer.slots["running_var"] = {{input[0]}, 0, 1, true};
  layer.output = input;
  layer.forward = [=](const Layer& self, const at::Tensor& x, bool training) {
    return at::batch_norm(x, self.optional("weight"), self.optional("bias"), self.tensors.at("running_mean"),
                          self.tensors.at("running_var"), training, momentum, eps, false);
  };
  return layer;
}

// Each sample by its own statistics, also when the network isn't trained.
template <size_t kDimensions>
Layer instance_norm(LayerSpec& spec, const Shape& input) {
  spec.need_channels(input, kDimensions);
  if (value_count(input) == static_cast<double>(input[0])) spec.fail("needs more than one value a channel");
  Layer layer;
  const double eps = read_eps(spec);
  add_affine(spec, layer, {input[0]}, false);
  layer.output = input;
  layer.forward = [=](const Layer& self, const at::Tensor& x, bool) {
    return at::instance_norm(x, self.optional("weight"), self.optional("bias"), {}, {}, true, 0, eps, false);
  };
  return layer;
}

Layer group_norm(LayerSpec& spec, const Shape& input) {
  if (input.empty()) spec.fail("needs channels");
  Layer layer;
  const int64_t groups = spec.integer("groups", 1);
  if (input[0] % groups) spec.fail(fmt::format("{} channels don't divide into {} groups", input[0], groups));
  const double eps = read_eps(spec);
  add_affine(spec, layer, {input[0]});
  layer.output = input;
  layer.forward = [=](const Layer& self, const at::Tensor& x, bool) {
    return at::group_norm(x, groups, self.optional("weight"), self.optional("bias"), eps, false);
  };
  return layer;
}

Layer layer_norm(LayerSpec& spec, const Shape& input) {
  Layer layer;
  Shape shape = spec.list("shape");
  if (shape.empty() && !input.empty()) shape = {input.back()};
  if (shape.empty() || shape.size() > input.size() || !std::equal(shape.rbegin(), shape.rend(), input.rbegin())) {
    spec.fail(fmt::format("\"shape\" must be the last dimensions of samples [{}]", fmt::join(input, ", ")));
  }
  const double eps = read_eps(spec);
  add_affine(spec, layer, shape);
  layer.output = input;
  layer.forward = [=](const Layer& self, const at::Tensor& x, bool) {
    return at::layer_norm(x, shape, self.optional("weight"), self.optional("bias"), eps, false);
  };
  return layer;
}

}  // namespace

LayerBuilders normalizations() {
  return {{"batch_norm1d", batch_norm<1>},
          {"batch_norm2d", batch_norm<2>},
          {"batch_norm3d", batch_norm<3>},
          {"instance_norm1d", instance_norm<1>},
          {"instance_norm2d", instance_norm<2>},
          {"instance_norm3d", instance_norm<3>},
          {"group_norm", group_norm},
          {"layer_norm", layer_norm}};
}

}  // namespace mas
