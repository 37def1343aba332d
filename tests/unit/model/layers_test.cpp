#include "mas/model/layers.h"

#include "mas/error.h"
#include "mas/model/network.h"
#include "unit/doctest_torch.h"

using namespace mas;
using nlohmann::json;
namespace nn = torch::nn;

namespace {

LayeredNetwork network_of(const std::string& layers, const Shape& input) {
  LayeredNetwork network(json{{"input", input}, {"layers", json::parse(layers)}}, "net.json");
  network.initialize(3);
  return network;
}

// One layer computes what torch.nn's module computes with its parameters, on samples of the shape that it announces.
template <typename Module>
void check_same(const std::string& layer, const Shape& input, Module module) {
  CAPTURE(layer);
  const LayeredNetwork network = network_of("[" + layer + "]", input);
  const auto ours = network.parameters();
  torch::NoGradGuard no_grad;
  auto theirs = module->named_parameters();
  REQUIRE(ours.size() == theirs.size());
  for (auto& p : theirs) p.value().copy_(ours.at("layers.0." + p.key()));
  module->eval();
  Shape batch = input;
  batch.insert(batch.begin(), 3);
  const auto x = torch::randn(batch), want = module->forward(x);
  const auto got = network.features(x);
  REQUIRE(got.numel() == want.numel());
  CHECK(network.feature_size() == want.numel() / 3);
  CHECK(torch::allclose(got, want.flatten(1), 1e-5, 1e-6));
}

at::Tensor ones_of(const NamedTensors& tensors, const std::string& name) { return torch::ones_like(tensors.at(name)); }

}  // namespace

TEST_CASE("convolutions and poolings of one and three dimensions are torch.nn's") {
  check_same(R"({"type": "conv1d", "out": 4, "kernel": 3, "stride": 2, "padding": 1})", {2, 9},
             nn::Conv1d(nn::Conv1dOptions(2, 4, 3).stride(2).padding(1)));
  check_same(R"({"type": "conv3d", "out": 4, "kernel": [1, 2, 3], "dilation": [1, 2, 1], "groups": 2})", {2, 4, 5, 6},
             nn::Conv3d(nn::Conv3dOptions(2, 4, {1, 2, 3}).dilation({1, 2, 1}).groups(2)));
  check_same(R"({"type": "max_pool1d", "kernel": 3, "stride": 2, "ceil": true})", {2, 10},
             nn::MaxPool1d(nn::MaxPool1dOptions(3).stride(2).ceil_mode(true)));
  check_same(R"({"type": "max_pool3d", "kernel": 2})", {2, 4, 5, 6}, nn::MaxPool3d(2));
  check_same(R"({"type": "avg_pool1d", "kernel": 3, "padding": 1})", {2, 10},
             nn::AvgPool1d(nn::AvgPool1dOptions(3).padding(1)));
  check_same(R"({"type": "avg_pool3d", "kernel": [1, 2, 2]})", {2, 4, 5, 6},
             nn::AvgPool3d(nn::AvgPool3dOptions({1, 2, 2})));
  check_same(R"({"type": "adaptive_avg_pool1d", "out": 3})", {2, 10}, nn::AdaptiveAvgPool1d(3));
  check_same(R"({"type": "adaptive_avg_pool3d", "out": [1, 2, 3]})", {2, 4, 5, 6},
             nn::AdaptiveAvgPool3d(nn::AdaptiveAvgPool3dOptions({1, 2, 3})));
  check_same(R"({"type": "adaptive_max_pool1d", "out": 3})", {2, 10}, nn::AdaptiveMaxPool1d(3));
  check_same(R"({"type": "adaptive_max_pool2d", "out": [2, 3]})", {2, 7, 8},
             nn::AdaptiveMaxPool2d(nn::AdaptiveMaxPool2dOptions({2, 3})));
  check_same(R"({"type": "adaptive_max_pool3d", "out": 2})", {2, 4, 5, 6}, nn::AdaptiveMaxPool3d(2));
}

TEST_CASE("transposed convolutions are torch.nn's") {
  check_same(R"({"type": "conv_transpose1d", "out": 4, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1})",
             {2, 5}, nn::ConvTranspose1d(nn::ConvTranspose1dOptions(2, 4, 3).stride(2).padding(1).output_padding(1)));
  check_same(R"({"type": "conv_transpose2d", "out": 6, "kernel": [2, 3], "groups": 2, "dilation": 2, "bias": false})",
             {4, 3, 5},
             nn::ConvTranspose2d(nn::ConvTranspose2dOptions(4, 6, {2, 3}).groups(2).dilation(2).bias(false)));
  check_same(R"({"type": "conv_transpose3d", "out": 2, "kernel": 2, "stride": 2})", {3, 2, 2, 3},
             nn::ConvTranspose3d(nn::ConvTranspose3dOptions(3, 2, 2).stride(2)));
}

TEST_CASE("normalisations are torch.nn's") {
  check_same(R"({"type": "batch_norm1d"})", {5}, nn::BatchNorm1d(5));
  check_same(R"({"type": "batch_norm1d", "eps": 0.1})", {5, 4}, nn::BatchNorm1d(nn::BatchNorm1dOptions(5).eps(0.1)));
  check_same(R"({"type": "batch_norm3d", "affine": false})", {2, 3, 4, 5},
             nn::BatchNorm3d(nn::BatchNorm3dOptions(2).affine(false)));
  check_same(R"({"type": "instance_norm1d"})", {3, 8}, nn::InstanceNorm1d(3));
  check_same(R"({"type": "instance_norm2d", "affine": true})", {3, 4, 5},
             nn::InstanceNorm2d(nn::InstanceNorm2dOptions(3).affine(true)));
  check_same(R"({"type": "instance_norm3d"})", {3, 2, 4, 5}, nn::InstanceNorm3d(3));
  check_same(R"({"type": "group_norm", "groups": 3})", {6, 4, 5}, nn::GroupNorm(3, 6));
  check_same(R"({"type": "layer_norm"})", {4, 5}, nn::LayerNorm(nn::LayerNormOptions({5})));
  check_same(R"({"type": "layer_norm", "shape": [4, 5], "eps": 0.01})", {3, 4, 5},
             nn::LayerNorm(nn::LayerNormOptions({4, 5}).eps(0.01)));
}

TEST_CASE("activations are torch.nn's") {
  const Shape input{4, 30};
  check_same(R"({"type": "relu6"})", input, nn::ReLU6());
  check_same(R"({"type": "silu"})", input, nn::SiLU());
  check_same(R"({"type": "mish"})", input, nn::Mish());
  check_same(R"({"type": "selu"})", input, nn::SELU());
  check_same(R"({"type": "gelu"})", input, nn::GELU());
  check_same(R"({"type": "gelu", "approximate": "tanh"})", input, nn::GELU(nn::GELUOptions().approximate("tanh")));
  check_same(R"({"type": "elu", "alpha": 0.5})", input, nn::ELU(nn::ELUOptions().alpha(0.5)));
  check_same(R"({"type": "leaky_relu", "slope": 0.2})", input,
             nn::LeakyReLU(nn::LeakyReLUOptions().negative_slope(0.2)));
  check_same(R"({"type": "hardtanh", "min": -0.5})", input, nn::Hardtanh(nn::HardtanhOptions().min_val(-0.5)));
  check_same(R"({"type": "softplus", "beta": 2})", input, nn::Softplus(nn::SoftplusOptions().beta(2)));
  check_same(R"({"type": "prelu"})", input, nn::PReLU());
  check_same(R"({"type": "prelu", "parameters": 4, "init": 0.1})", input,
             nn::PReLU(nn::PReLUOptions().num_parameters(4).init(0.1)));
  check_same(R"({"type": "dropout2d"})", {4, 5, 6}, nn::Dropout2d());
  const auto x = torch::randn({3, 4});
  CHECK(network_of(R"([{"type": "hardswish"}])", {4}).features(x).equal(torch::hardswish(x)));
  CHECK(network_of(R"([{"type": "hardsigmoid"}])", {4}).features(x).equal(torch::hardsigmoid(x)));
}

TEST_CASE("an embedding takes token ids, also as floats, and names one that is out of range") {
  const LayeredNetwork network = network_of(R"([{"type": "embedding", "name": "tokens", "count": 9, "out": 5}])", {4});
  const auto table = network.parameters().at("tokens.weight");
  const auto ids = torch::tensor({{0, 8, 3, 3}}, torch::kLong);
  CHECK(network.features(ids.to(torch::kFloat)).equal(table.index_select(0, ids[0]).flatten().unsqueeze(0)));
  CHECK_THROWS_WITH_AS(network.features(ids + 1),
                       "tokens: an embedding of 9 rows, but the data have numbers from 1 to 9", Error);
}

TEST_CASE("permute counts the batch, as torch does") {
  const LayeredNetwork network = network_of(R"([{"type": "permute", "dims": [0, 3, 2, 1]}])", {2, 3, 4});
  const auto x = torch::randn({5, 2, 3, 4});
  CHECK(network.features(x).equal(x.permute({0, 3, 2, 1}).flatten(1)));
}

TEST_CASE("a residual adds its shortcut, or its input, to its layers' output") {
  const LayeredNetwork plain =
      network_of(R"([{"type": "residual", "layers": [{"type": "linear", "name": "a.b", "out": 4}]}])", {4});
  const auto x = torch::randn({3, 4});
  auto p = plain.parameters();
  CHECK(torch::allclose(plain.features(x), torch::linear(x, p.at("a.b.weight"), p.at("a.b.bias")) + x));

  const LayeredNetwork other = network_of(R"([{"type": "residual", "name": "block", "layers":
    [{"type": "linear", "out": 6, "bias": false}, {"type": "tanh"}], "shortcut": [{"type": "linear", "out": 6}]}])",
                                          {4});
  p = other.parameters();
  CHECK(p.size() == 3);  // named after the container where they have no name
  CHECK(torch::allclose(other.features(x),
                        torch::linear(x, p.at("block.layers.0.weight")).tanh() +
                            torch::linear(x, p.at("block.shortcut.0.weight"), p.at("block.shortcut.0.bias"))));
}

TEST_CASE("a concat joins its branches along the channels, and containers nest") {
  const LayeredNetwork network = network_of(R"([{"type": "concat", "branches": [
    [{"type": "conv2d", "out": 2, "kernel": 1}],
    [{"type": "residual", "layers": [{"type": "relu"}]}, {"type": "conv2d", "name": "deep", "out": 1, "kernel": 1}],
    []]}])",
                                            {3, 4, 5});
  const auto p = network.parameters();
  CHECK(p.count("layers.0.branches.0.0.weight") == 1);
  const auto x = torch::randn({2, 3, 4, 5});
  const auto want =
      torch::cat({torch::conv2d(x, p.at("layers.0.branches.0.0.weight"), p.at("layers.0.branches.0.0.bias")),
                  torch::conv2d(x + x.relu(), p.at("deep.weight"), p.at("deep.bias")), x},
                 1);
  CHECK(torch::allclose(network.features(x), want.flatten(1)));
}

TEST_CASE("layers in containers train, load and save like others") {
  LayeredNetwork network = network_of(
      R"([{"type": "residual", "layers": [{"type": "batch_norm1d", "name": "n"}, {"type": "dropout"}]}])", {4});
  const auto x = torch::randn({8, 4}) + 5;
  network.train(true);
  CHECK(!network.features(x).equal(network.features(x)));
  CHECK(network.buffers().at("n.running_mean").mean().item<double>() > 0.5);
  NamedTensors weights = network.parameters();
  weights["n.weight"] = 2 * ones_of(weights, "n.weight");
  network.load(weights, network.buffers());
  CHECK(network.parameters().at("n.weight").data_ptr() == weights.at("n.weight").data_ptr());
}

TEST_CASE("std makes weights normal and biases zero") {
  const auto p = network_of(R"([{"type": "linear", "name": "a", "out": 300, "std": 0.01}])", {400}).parameters();
  CHECK(p.at("a.weight").std().item<double>() == doctest::Approx(0.01).epsilon(0.01));
  CHECK(p.at("a.bias").equal(torch::zeros({300})));
}

TEST_CASE("a wrong layer in a container is named with its way there") {
  const auto fault = [](const char* layers) -> std::string {
    try {
      network_of(layers, {3, 8, 8});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK(fault(R"([{"type": "relu"}, {"type": "residual", "layers": [{"type": "conv2d", "out": 3, "kernel": 9}]}])") ==
        "net.json: layer 2 (residual): layer 1 (conv2d): a kernel of 9x9 doesn't fit on 8x8");
  CHECK(fault(R"([{"type": "residual", "layers": [{"type": "relu"}], "shortcut": [{"type": "linear"}]}])") ==
        "net.json: layer 1 (residual): shortcut layer 1 (linear): \"out\" is missing");
  CHECK(fault(R"([{"type": "conv2d", "out": 3, "kernel_size": 3}])") ==
        "net.json: layer 1 (conv2d): \"kernel\" is missing; write it for \"kernel_size\"");
  CHECK(fault(R"([{"type": "concat", "branches": [[{"type": "relu"}], [{"type": "relu", "p": 1}]]}])") ==
        "net.json: layer 1 (concat): branches 2 layer 1 (relu): unknown key \"p\" (known: type, name)");
  CHECK(fault(R"([{"type": "residual", "layers": [{"type": "conv2d", "out": 4, "kernel": 1}]}])") ==
        "net.json: layer 1 (residual): the layers give [4, 8, 8] and the shortcut [3, 8, 8], which don't add up");
  CHECK(fault(R"([{"type": "concat", "branches": [[], [{"type": "max_pool2d", "kernel": 2}]]}])") ==
        "net.json: layer 1 (concat): branch 2 gives [3, 4, 4], which doesn't join [3, 8, 8] along the channels");
  CHECK(fault(R"([{"type": "conv2"}])") == "net.json: layer 1: unknown type \"conv2\"; did you mean \"conv2d\"?");
  CHECK(fault(R"([{"type": "residual"}])") == "net.json: layer 1 (residual): \"layers\" is missing or empty");
  CHECK(fault(R"([{"type": "concat", "branches": [{"type": "relu"}]}])") ==
        "net.json: layer 1 (concat): \"branches\" must be a list of lists of layers");
  CHECK(fault(R"([{"type": "linear", "name": "a", "out": 8},
                  {"type": "residual", "layers": [{"type": "linear", "name": "a", "out": 8}]}])") ==
        "net.json: the layer name \"a\" is taken, reserved or can't name a tensor");
}

TEST_CASE("sizes that can't be are refused before any memory is taken") {
  for (const char* layers : {
           R"([{"type": "conv1d", "out": 1, "kernel": 1}])",
           R"([{"type": "conv2d", "out": 4, "kernel": [1, 2, 3]}])",
           R"([{"type": "conv_transpose2d", "out": 1, "kernel": 1, "stride": 268435456}, {"type": "flatten"}])",
           R"([{"type": "conv_transpose2d", "out": 1, "kernel": 2, "output_padding": 1}])",
           R"([{"type": "conv2d", "out": 1, "kernel": 1, "padding": 268435456}, {"type": "flatten"}])",
           R"([{"type": "conv2d", "out": 3, "kernel": 1, "groups": 2}])",
           R"([{"type": "group_norm", "groups": 2}])",
           R"([{"type": "layer_norm", "shape": [4]}])",
           R"([{"type": "instance_norm1d"}])",
           R"([{"type": "prelu", "parameters": 2}])",
           R"([{"type": "hardtanh", "min": 2}])",
           R"([{"type": "gelu", "approximate": "cubic"}])",
           R"([{"type": "permute"}])",
           R"([{"type": "permute", "dims": [1, 0, 2, 3]}])",
           R"([{"type": "permute", "dims": [0, 1, 2, 2]}])",
           R"([{"type": "permute", "dims": [0, 1, 2, -3]}])",
           R"([{"type": "embedding", "count": 268435456, "out": 268435456}])",
       }) {
    CAPTURE(layers);
    CHECK_THROWS_AS(network_of(layers, {3, 8, 8}), Error);
  }
}
