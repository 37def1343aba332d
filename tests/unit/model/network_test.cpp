#include "mas/model/network.h"

#include "mas/error.h"
#include "mas/model/architecture.h"
#include "unit/doctest_torch.h"

using namespace mas;
using nlohmann::json;

TEST_CASE("the built-in networks have the published shapes") {
  const auto shapes = [](const char* arch) {
    LayeredNetwork network(make_architecture(arch, {1, 28, 28}), "test");
    network.initialize(1);
    std::map<std::string, Shape> shapes;
    for (const auto& [name, value] : network.parameters()) shapes[name] = value.sizes().vec();
    return shapes;
  };
  CHECK(shapes("mlp:400,300") ==
        std::map<std::string, Shape>{
            {"fc1.weight", {400, 784}}, {"fc1.bias", {400}}, {"fc2.weight", {300, 400}}, {"fc2.bias", {300}}});
  CHECK(shapes("convnet") == std::map<std::string, Shape>{{"conv1.weight", {32, 1, 3, 3}},
                                                          {"conv1.bias", {32}},
                                                          {"conv2.weight", {64, 32, 3, 3}},
                                                          {"conv2.bias", {64}}});
  const auto lenet = shapes("lenet");
  CHECK(lenet.at("conv2.weight") == Shape{16, 6, 5, 5});
  CHECK(lenet.at("fc1.weight") == Shape{120, 400});
  CHECK(lenet.at("fc2.weight") == Shape{84, 120});
}

TEST_CASE("a network of every layer kind computes what torch.nn computes") {
  const json arch = json::parse(R"({"input": [3, 17, 15], "layers": [
    {"type": "conv2d", "name": "a", "out": 6, "kernel": [3, 5], "stride": [2, 1], "padding": [1, 2], "groups": 3},
    {"type": "batch_norm2d", "name": "n"}, {"type": "relu"},
    {"type": "max_pool2d", "kernel": 3, "stride": 2, "padding": 1, "ceil": true},
    {"type": "conv2d", "name": "b", "out": 4, "kernel": 2, "dilation": 2, "bias": false}, {"type": "tanh"},
    {"type": "avg_pool2d", "kernel": 2, "stride": 1}, {"type": "adaptive_avg_pool2d", "out": [1, 2]},
    {"type": "dropout", "p": 0.3}, {"type": "flatten"}, {"type": "linear", "name": "c", "out": 5}, {"type": "sigmoid"}]})");
  LayeredNetwork network(arch, "test");
  network.initialize(3);
  namespace nn = torch::nn;
  nn::Sequential reference(
      nn::Conv2d(nn::Conv2dOptions(3, 6, {3, 5}).stride({2, 1}).padding({1, 2}).groups(3)), nn::BatchNorm2d(6),
      nn::ReLU(), nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2).padding(1).ceil_mode(true)),
      nn::Conv2d(nn::Conv2dOptions(6, 4, 2).dilation(2).bias(false)), nn::Tanh(),
      nn::AvgPool2d(nn::AvgPool2dOptions(2).stride(1)), nn::AdaptiveAvgPool2d(nn::AdaptiveAvgPool2dOptions({1, 2})),
      nn::Dropout(0.3), nn::Flatten(), nn::Linear(8, 5), nn::Sigmoid());
  const auto ours = network.parameters();
  const std::map<std::string, std::string> names{{"0", "a"}, {"1", "n"}, {"4", "b"}, {"10", "c"}};
  torch::NoGradGuard no_grad;
  for (auto& p : reference->named_parameters()) {
    const auto dot = p.key().find('.');
    p.value().copy_(ours.at(names.at(p.key().substr(0, dot)) + p.key().substr(dot)));
  }
  reference->eval();
  const auto x = torch::randn({4, 3, 17, 15});
  CHECK(torch::allclose(network.features(x), reference->forward(x), 1e-5, 1e-6));
  CHECK(network.feature_size() == 5);
  network.train(true);
  CHECK(!network.features(x).equal(network.features(x)));  // dropout
}

TEST_CASE("initial values are uniform within torch.nn's bounds and depend on the seed alone") {
  const auto arch = make_architecture("mlp:400,400", {1, 28, 28});
  LayeredNetwork a(arch, "test"), b(arch, "test"), c(arch, "test");
  a.initialize(1);
  b.initialize(1);
  c.initialize(2);
  const auto w = a.parameters().at("fc1.weight");
  CHECK(w.equal(b.parameters().at("fc1.weight")));
  CHECK(!w.equal(c.parameters().at("fc1.weight")));
  CHECK(w.abs().max().item<double>() <= 1.0 / 28);
  CHECK(w.std().item<double>() == doctest::Approx(1 / 28.0 / std::sqrt(3.0)).epsilon(0.01));
}

TEST_CASE("weights that don't fit are named") {
  LayeredNetwork network(make_architecture("mlp:4", {3}), "m.h5");
  const auto load = [&](NamedTensors weights) { network.load(weights, {}); };
  CHECK_THROWS_WITH_AS(load({{"fc1.weight", torch::zeros({4, 3})}}), "m.h5: fc1.bias is missing", Error);
  CHECK_THROWS_WITH_AS(load({{"fc1.weight", torch::zeros({3, 4})}, {"fc1.bias", torch::zeros({4})}}),
                       "m.h5: fc1.weight: shape 3 x 4, but the architecture needs 4 x 3", Error);
  CHECK_THROWS_WITH_AS(
      load({{"fc1.weight", torch::zeros({4, 3})}, {"fc1.bias", torch::zeros({4})}, {"fc9.bias", torch::zeros({4})}}),
      "m.h5: fc9.bias: the architecture has no such tensor", Error);
  CHECK_THROWS_WITH_AS(load({{"fc1.weight", torch::zeros({4, 3})}, {"fc1.bias", torch::zeros({4}, at::kDouble)}}),
                       "m.h5: fc1.bias: float64, but this architecture needs float32", Error);
}

TEST_CASE("a buffer of another type is named, not handed to the layer") {
  LayeredNetwork network(
      json{{"input", {2, 3, 3}}, {"layers", json::parse(R"([{"type": "batch_norm2d", "name": "n"}])")}}, "m.h5");
  network.initialize(1);
  auto buffers = network.buffers();
  buffers["n.running_var"] = torch::ones({2}, at::kLong);
  CHECK_THROWS_WITH_AS(network.load(network.parameters(), buffers),
                       "m.h5: n.running_var: int64, but this architecture needs float32", Error);
}

TEST_CASE("sizes whose product no number holds are refused at the layer that makes them") {
  const auto build = [](const json& input, const char* layers) {
    LayeredNetwork(json{{"input", input}, {"layers", json::parse(layers)}}, "net.json");
  };
  const int64_t large = 1 << 28;
  CHECK_THROWS_WITH_AS(build({large, large, large}, R"([{"type": "flatten"}])"),
                       "net.json: architecture with more than 2^40 input values", Error);
  CHECK_THROWS_WITH_AS(
      build({1, 8, 8}, R"([{"type": "conv2d", "out": 4, "kernel": 1, "padding": 268435456}, {"type": "flatten"}])"),
      "net.json: layer 1: gives more than 2^40 values a sample", Error);
  CHECK_THROWS_WITH_AS(build({65536, 8, 8}, R"([{"type": "adaptive_avg_pool2d", "out": 268435456}])"),
                       "net.json: layer 1: gives more than 2^40 values a sample", Error);
}

TEST_CASE("a wrong description is an error that names the layer") {
  const auto build = [](const char* layers) {
    LayeredNetwork(json{{"input", {1, 8, 8}}, {"layers", json::parse(layers)}}, "net.json");
  };
  CHECK_THROWS_WITH_AS(build(R"([{"type": "relu"}, {"type": "conv2d", "out": 4, "kernel": 9}])"),
                       "net.json: layer 2 (conv2d): a kernel of 9x9 doesn't fit on 8x8", Error);
  CHECK_THROWS_WITH_AS(build(R"([{"type": "linear", "out": 0}])"),
                       "net.json: layer 1 (linear): \"out\" must be a whole number from 1 to 268435456, got 0", Error);
  CHECK_THROWS_WITH_AS(build(R"([{"type": "linear"}])"), "net.json: layer 1 (linear): \"out\" is missing", Error);
  CHECK_THROWS_WITH_AS(build(R"([{"type": "dropout", "q": 0.5}])"),
                       "net.json: layer 1 (dropout): unknown key \"q\" (known: type, name, p)", Error);
  CHECK_THROWS_AS(build(R"([{"type": "lstm"}])"), Error);
  CHECK_THROWS_AS(build(R"([{"type": "linear", "out": 1e3}])"), Error);
  CHECK_THROWS_AS(build(R"([{"type": "linear", "out": 268435456}, {"type": "linear", "out": 268435456}])"), Error);
  CHECK_THROWS_AS(build(R"([{"type": "linear", "name": "a/b", "out": 2}])"), Error);
  CHECK_THROWS_AS(build(R"([{"type": "linear", "name": "a", "out": 2}, {"type": "linear", "name": "a", "out": 2}])"),
                  Error);
  CHECK_THROWS_WITH_AS(build(R"([{"type": "linear", "name": "a\u0000b", "out": 2}])"),
                       doctest::Contains("is taken, reserved or can't name a tensor"), Error);
  CHECK_THROWS_AS(build(R"([{"type": "linear", "name": ".", "out": 2}])"), Error);
  CHECK_THROWS_AS(build(R"([{"type": "linear", "name": "", "out": 2}])"), Error);
  CHECK_THROWS_AS(build(R"(["relu"])"), Error);
}

TEST_CASE("an architecture that isn't one is wrong usage") {
  for (const char* text : {"mlp", "mlp:", "mlp:4,", "mlp:4,x", "mlp:-4", "mlp:0", "resnet", ""}) {
    CAPTURE(text);
    CHECK_THROWS_AS(make_architecture(text, {1, 28, 28}), UsageError);
  }
}

TEST_CASE("token ids go into embeddings, not into other layers") {
  const auto of = [](const char* layers) {
    return mas::LayeredNetwork({{"input", {5}}, {"layers", nlohmann::json::parse(layers)}}, "x").takes_ids();
  };
  CHECK(of(R"([{"type": "embedding", "count": 9, "out": 3}, {"type": "flatten"}])"));
  CHECK(!of(R"([{"type": "linear", "out": 3}])"));
  CHECK(!of("[]"));
}
