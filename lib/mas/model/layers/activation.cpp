#include <fmt/format.h>

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

// One that has no keys.
template <at::Tensor (*kFunction)(const at::Tensor&)>
Layer plain(LayerSpec&, const Shape& input) {
  return elementwise(input, [](const at::Tensor& x, bool) { return kFunction(x); });
}

Layer gelu(LayerSpec& spec, const Shape& input) {
  const std::string approximate = spec.text("approximate", "none");
  if (approximate != "none" && approximate != "tanh") spec.fail("\"approximate\" must be \"none\" or \"tanh\"");
  return elementwise(input, [approximate](const at::Tensor& x, bool) { return at::gelu(x, approximate); });
}

Layer leaky_relu(LayerSpec& spec, const Shape& input) {
  const double slope = spec.number("slope", -1e6, 1e6, 0.01);
  return elementwise(input, [slope](const at::Tensor& x, bool) { return at::leaky_relu(x, slope); });
}

Layer elu(LayerSpec& spec, const Shape& input) {
  const double alpha = spec.number("alpha", 0, 1e6, 1);
  return elementwise(input, [alpha](const at::Tensor& x, bool) { return at::elu(x, alpha); });
}

Layer hardtanh(LayerSpec& spec, const Shape& input) {
  const double least = spec.number("min", -1e6, 1e6, -1), most = spec.number("max", -1e6, 1e6, 1);
  if (!(least < most)) spec.fail("\"min\" must be below \"max\"");
  return elementwise(input, [=](const at::Tensor& x, bool) { return at::hardtanh(x, least, most); });
}

Layer softplus(LayerSpec& spec, const Shape& input) {
  const double beta = spec.number("beta", 1e-6, 1e6, 1), threshold = spec.number("threshold", 0, 1e6, 20);
  return elementwise(input, [=](const at::Tensor& x, bool) { return at::softplus(x, beta, threshold); });
}

Layer prelu(LayerSpec& spec, const Shape& input) {
  const int64_t parameters = spec.integer("parameters", 1, 1), channels = input.empty() ? 1 : input[0];
  if (parameters != 1 && parameters != channels) {
    spec.fail(fmt::format("\"parameters\" must be 1 or the {} channels, got {}", channels, parameters));
  }
  Layer layer;
  layer.slots["weight"] = {{parameters}, 0, spec.number("init", -1e6, 1e6, 0.25)};
  layer.output = input;
  layer.forward = [](const Layer& self, const at::Tensor& x, bool) { return at::prelu(x, self.tensors.at("weight")); };
  return layer;
}

Layer dropout(LayerSpec& spec, const Shape& input) {
  const double p = spec.number("p", 0, 0.999, 0.5);
  return elementwise(input, [p](const at::Tensor& x, bool training) { return at::dropout(x, p, training); });
}

// Whole channels at a time.
template <size_t kDimensions>
Layer channel_dropout(LayerSpec& spec, const Shape& input) {
  spec.need_channels(input, kDimensions);
  const double p = spec.number("p", 0, 0.999, 0.5);
  return elementwise(input, [p](const at::Tensor& x, bool training) { return at::feature_dropout(x, p, training); });
}

}  // namespace

LayerBuilders activations() {
  return {{"relu", plain<at::relu>},
          {"relu6", plain<at::relu6>},
          {"tanh", plain<at::tanh>},
          {"sigmoid", plain<at::sigmoid>},
          {"silu", plain<at::silu>},
          {"mish", plain<at::mish>},
          {"selu", plain<at::selu>},
          {"hardswish", plain<at::hardswish>},
          {"hardsigmoid", plain<at::hardsigmoid>},
          {"gelu", gelu},
          {"leaky_relu", leaky_relu},
          {"elu", elu},
          {"hardtanh", hardtanh},
          {"softplus", softplus},
          {"prelu", prelu},
          {"dropout", dropout},
          {"dropout1d", channel_dropout<1>},
          {"dropout2d", channel_dropout<2>},
          {"dropout3d", channel_dropout<3>}};
}

}  // namespace mas
