#include "mas/model/script_network.h"

#include "mas/error.h"
#include "mas/model/model.h"
#include "unit/io/scratch.h"
#include "unit/model/script.h"

using namespace mas;
using mas::test::contains;
using mas::test::error_of;
using mas::test::saved;
using mas::test::two_layers;

namespace {

std::unique_ptr<ScriptNetwork> open(const torch::jit::Module& module, const at::Tensor& x,
                                    const ScriptOutput& output = {}) {
  return std::make_unique<ScriptNetwork>(saved(module), "net.pt", output, x, "data");
}

// What is wrong with a module of one parameter w (4 x 3) and this code.
std::string fault(const std::string& code) {
  torch::jit::Module net("Net");
  net.register_parameter("w", at::ones({4, 3}), false);
  net.define(code);
  return error_of([&] { open(net, at::randn({2, 3})); });
}

// A convolution of three channels, and `code` that goes on with y. It notes how the last samples lay in memory.
torch::jit::Module convolution(const std::string& code) {
  torch::jit::Module net("Net");
  net.register_attribute("training", c10::BoolType::get(), false);
  net.register_attribute("innermost", c10::BoolType::get(), false);
  net.register_parameter("w", at::randn({5, 3, 3, 3}).requires_grad_(), false);
  net.register_buffer("mean", at::zeros({5}));
  net.register_buffer("var", at::ones({5}));
  net.define("def forward(self, x):\n  self.innermost = x.stride(1) == 1\n  y = torch.conv2d(x, self.w)\n" + code +
             "  return y\n");
  return net;
}

}  // namespace

TEST_CASE("a module computes what it computed, and its tensors can be replaced") {
  auto net = two_layers();
  const auto x = at::randn({6, 3});
  const auto network = open(net, x);
  CHECK(network->input() == Shape{3});
  CHECK(network->feature_size() == 4);
  CHECK(network->features(x).equal(net.forward({x}).toTensor()));
  CHECK(network->architecture() ==
        nlohmann::json{{"name", "net.pt"}, {"type", "torchscript"}, {"input", {3}}, {"outputs", 4}});

  auto weights = network->parameters();
  CHECK(weights.size() == 4);
  weights["fc2.bias"] = at::full({4}, 7.f);
  network->load(weights, {});
  CHECK(network->parameters().at("fc2.bias").is_alias_of(weights.at("fc2.bias")));
  net.attr("fc2").toModule().setattr("bias", at::full({4}, 7.f));
  CHECK(network->features(x).equal(net.forward({x}).toTensor()));

  weights.erase("fc1.bias");
  CHECK(error_of([&] { network->load(weights, {}); }) == "net.pt: fc1.bias is missing");
  weights["fc1.bias"] = at::zeros({4});
  CHECK(contains(error_of([&] { network->load(weights, {}); }), "net.pt: fc1.bias: Float of shape 4, but"));
}

TEST_CASE("the output of a layer can be the features") {
  const auto net = two_layers();
  const auto x = at::randn({6, 3});
  const auto network = open(net, x, {"fc1", ""});
  const auto fc1 = net.attr("fc1").toModule();
  CHECK(network->feature_size() == 5);
  CHECK(network->features(x).equal(at::linear(x, fc1.attr("weight").toTensor(), fc1.attr("bias").toTensor())));
  CHECK(ScriptNetwork(network->architecture(), saved(net), "m.h5").features(x).equal(network->features(x)));
  CHECK(error_of([&] {
          open(net, x, {"fc3", ""});
        }) == "--features: net.pt has no layer fc3; did you mean fc1? (it has fc1, fc2)");
}

TEST_CASE("one of several values can be the features") {
  torch::jit::Module net("Net");
  net.register_parameter("w", at::randn({4, 3}), false);
  net.define("def forward(self, x):\n  y = torch.linear(x, self.w)\n  return y, ({'a': y, 'a.b': -y}, [x, 2 * y])\n");
  const auto x = at::randn({6, 3}), y = at::linear(x, net.attr("w").toTensor());
  const auto network = open(net, x, {"", "1.1.1"});
  CHECK(network->features(x).equal(2 * y));
  CHECK(network->choice(x).subscript == "[1][1][1]");
  CHECK(network->architecture().at("return") == "1.1.1");
  CHECK(ScriptNetwork(network->architecture(), saved(net), "m.h5").features(x).equal(2 * y));
  CHECK(open(net, x, {"", "1.0.a"})->features(x).equal(y));
  const auto dotted = open(net, x, {"", "1.0.a.b"});
  CHECK(dotted->features(x).equal(-y));
  CHECK(dotted->choice(x).subscript == "[1][0][\"a.b\"]");
  CHECK(error_of([&] {
          open(net, x, {"", "1.1.2"});
        }) == "--return: net.pt: its forward returns a list of 2 under 1.1, without 2; 1.1.0 or 1.1.1 chooses");
  auto arch = network->architecture();
  arch["return"] = 1;
  CHECK(error_of([&] { ScriptNetwork(arch, saved(net), "m.h5"); }) == "m.h5: architecture whose \"return\" is no text");
}

TEST_CASE("a layer inside others is found, one that forward doesn't always call isn't") {
  torch::jit::Module outer("Outer");
  outer.register_module("body", two_layers());
  outer.register_module("spare", two_layers());
  outer.define(
      "def forward(self, x):\n  if bool(x.size(1) > 3):\n    x = self.spare.forward(x)\n  return "
      "self.body.forward(x)\n");
  const auto x = at::randn({2, 3});
  CHECK(open(outer, x, {"body.fc1", ""})->feature_size() == 5);
  CHECK(open(outer, x, {"body", ""})->feature_size() == 4);
  CHECK(contains(error_of([&] { open(outer, x, {"spare.fc1", ""}); }), "within an if or a loop"));
}

TEST_CASE("tied weights are one parameter under two names") {
  torch::jit::Module net("Net");
  const auto w = at::randn({3, 3});
  net.register_parameter("a", w, false);
  net.register_parameter("b", w, false);
  net.define("def forward(self, x):\n  return torch.mm(torch.tanh(torch.mm(x, self.a)), self.b)\n");
  const auto network = open(net, at::randn({2, 3}));
  const auto parameters = network->parameters();
  CHECK(parameters.size() == 2);
  CHECK(parameters.at("a").is_same(parameters.at("b")));
  const Model model(network->architecture(), 0, saved(net));
  const Model again(parse_model(serialize_model(model.file), "m.h5"), "m.h5");
  CHECK(again.file.weights.at("a").is_same(again.file.weights.at("b")));
}

TEST_CASE("weights that a module also keeps in a list, as recurrent layers do, are the same ones there") {
  torch::jit::Module net("Net");
  const auto w = at::randn({4, 3}).requires_grad_();
  net.register_parameter("w", w, false);
  net.register_attribute("list", c10::ListType::ofTensors(), c10::List<at::Tensor>({w}));
  net.define("def forward(self, x):\n  return torch.linear(x, self.list[0])\n");
  const auto x = at::randn({2, 3});
  const auto network = open(net, x);
  network->load({{"w", 2 * w.detach()}}, {});
  CHECK(network->features(x).equal(at::linear(x, 2 * w.detach())));
  network->parameters().at("w").set_requires_grad(true);
  CHECK(network->features(x).requires_grad());
}

TEST_CASE("parameters that ask for no gradient are frozen, in the model file too") {
  auto net = two_layers();
  net.attr("fc1").toModule().attr("bias").toTensor().set_requires_grad(false);
  const auto network = open(net, at::randn({2, 3}));
  CHECK(network->frozen() == std::set<std::string>{"fc1.bias"});
  CHECK(!network->parameters().at("fc1.weight").requires_grad());  // until somebody wants a gradient
  const Model model(network->architecture(), 0, saved(net));
  const Model again(parse_model(serialize_model(model.file), "m.h5"), "m.h5");
  CHECK(again.network().frozen() == network->frozen());
  CHECK(again.shared_parameters().size() == 4);
  CHECK(again.trainable_parameters().size() == 3);
}

TEST_CASE("train and eval mode reach the modules inside, and buffers are the ones of now") {
  torch::jit::Module norm("Norm");
  norm.register_attribute("training", c10::BoolType::get(), true);
  norm.register_parameter("weight", at::ones({3}), false);
  norm.register_buffer("mean", at::zeros({3}));
  norm.register_buffer("var", at::ones({3}));
  norm.register_buffer("seen", at::tensor(0, at::kLong));
  norm.register_buffer("mask", at::full({3}, -INFINITY));
  norm.define(R"(
def forward(self, x):
  if self.training:
    self.seen = self.seen + 1
  return torch.batch_norm(x, self.weight, None, self.mean, self.var, self.training, 0.1, 1e-5, False)
)");
  torch::jit::Module net("Net");
  net.register_module("norm", norm);
  net.define("def forward(self, x):\n  return self.norm.forward(x)\n");
  const auto x = at::randn({6, 3}) + 2;
  const auto network = open(net, x);
  CHECK(network->buffers().size() == 3);  // no file holds the infinite mask
  CHECK(network->features(x).allclose(x / std::sqrt(1 + 1e-5)));
  network->train(true);
  CHECK(network->features(x).mean().abs().item<float>() < 1e-3);
  network->train(false);
  CHECK(network->buffers().at("norm.seen").item<int64_t>() == 1);
  CHECK(network->buffers().at("norm.mean").abs().sum().item<float>() > 0);
}

TEST_CASE("images have their channels innermost where that makes no difference to the module") {
  const auto x = at::randn({4, 3, 6, 5});
  const auto innermost = [&](const std::string& code) {
    CAPTURE(code);
    auto net = convolution(code);
    const auto network = open(net, x);
    CHECK(network->features(x).allclose(net.forward({x}).toTensor().flatten(1), 1e-5, 1e-5));
    CHECK(network->parameters().at("w").is_contiguous());
    CHECK(network->parameters().at("w").equal(net.attr("w").toTensor()));
    return network->module().attr("innermost").toBool();
  };
  CHECK(innermost("  y = torch.relu(y)\n"));
  CHECK(!innermost("  y = y.view(x.size(0), -1)\n"));
  CHECK(!innermost("  if x.stride(1) == 1:\n    y = 2 * y\n"));
  CHECK(!innermost("  if self.training:\n    y = y.view(x.size(0), -1)\n"));
  CHECK(!innermost("  if x.size(0) == 2:\n    assert False, 'four, please'\n"));
  auto wide = convolution("");
  wide.to(at::kDouble);
  CHECK(!open(wide, x)->module().attr("innermost").toBool());
}

TEST_CASE("trying how images may lie changes neither statistics nor random numbers") {
  const auto x = at::randn({4, 3, 6, 5});
  auto net = convolution(
      "  y = torch.batch_norm(y, None, None, self.mean, self.var, self.training, 0.1, 1e-5, False)\n"
      "  y = torch.dropout(torch.flatten(y, 1), 0.5, self.training)\n");
  const auto network = open(net, x);
  net.train();
  network->train(true);
  at::manual_seed(3);
  const auto want = net.forward({x}).toTensor();
  at::manual_seed(3);
  CHECK(network->features(x).allclose(want, 1e-4, 1e-5));
  CHECK(network->module().attr("innermost").toBool());
  CHECK(network->buffers().at("mean").allclose(net.attr("mean").toTensor(), 1e-5, 1e-6));
}

TEST_CASE("token ids stay integers, and floats become the module's") {
  torch::jit::Module net("Net");
  net.register_parameter("w", at::randn({10, 4}, at::kDouble), false);
  net.define("def forward(self, x):\n  return torch.embedding(self.w, x)\n");
  CHECK(open(net, at::ones({2, 5}, at::kLong))->feature_size() == 20);
  const auto doubles = open(two_layers(at::kDouble), at::randn({2, 3}));
  CHECK((doubles->features(at::randn({2, 3})).scalar_type() == at::kDouble));
  net.define("def other(self, x):\n  return torch.mean(torch.embedding(self.w, x), [1]).half()\n");
  torch::jit::Module outer("Outer");
  outer.register_module("net", net);
  outer.define("def forward(self, x):\n  return self.net.other(x)\n");
  CHECK((open(outer, at::ones({2, 5}, at::kLong))->features(at::ones({2, 5}, at::kLong)).scalar_type() == at::kDouble));
}

TEST_CASE("sequences that were read as images of one channel lose it") {
  torch::jit::Module net("Net");
  net.register_parameter("w", at::randn({6, 4}), false);
  net.define("def forward(self, x):\n  return torch.mean(torch.matmul(x, self.w), [1])\n");
  const auto network = open(net, at::randn({2, 1, 5, 6}));
  CHECK(network->input() == Shape{5, 6});
  CHECK(network->feature_size() == 4);
  CHECK(network->features(at::randn({3, 1, 5, 6})).sizes() == at::IntArrayRef({3, 4}));
}

TEST_CASE("modules that can't be networks are refused with their cause") {
  CHECK(
      fault("def forward(self, x):\n  return torch.mm(x, self.w)\n") ==
      "data: its samples of 3 values don't go through net.pt: mat1 and mat2 shapes cannot be multiplied (2x3 and 4x3)");
  CHECK(fault("def forward(self, x):\n  assert x.size(1) == 8, 'eight, please'\n  return torch.linear(x, self.w)\n") ==
        "data: its samples of 3 values don't go through net.pt: eight, please");
  CHECK(contains(fault("def forward(self, x, y):\n  return x + y + self.w\n"),
                 "net.pt: its forward needs 2 inputs (x, y)"));
  CHECK(contains(fault("def forward(self, x):\n  return x.size(1), 'x'\n"), "net.pt: its forward returns a tuple"));
  CHECK(fault("def forward(self, x):\n  return torch.linear(x, self.w), x\n") ==
        "net.pt: its forward returns a tuple of 2; --return 0 or 1 chooses");
  CHECK(fault("def forward(self, x):\n  y = torch.linear(x, self.w)\n  return {3: y, 4: y}\n") ==
        "net.pt: its forward returns a dictionary of 2; --return 3 or 4 chooses");
  CHECK(contains(fault("def forward(self, x):\n  return torch.linear(x, self.w).sum()\n"), "its output is scalar"));
  CHECK(contains(fault("def forward(self, x):\n  return torch.linear(x, self.w).argmax(1)\n"), "its output is Long"));
  CHECK(contains(fault("def forward(self, x):\n  return torch.linear(x, self.w).detach()\n"),
                 "net.pt: its output has no gradient"));
  CHECK(contains(fault("def forward(self, x):\n  return torch.linear(x, self.w).detach().requires_grad_()\n"),
                 "net.pt: its output has no gradient to the parameters"));
  CHECK(contains(fault("def forward(self, x):\n  y = torch.relu(torch.linear(x, self.w))\n  y[0, 0] = 1\n  return y\n"),
                 "net.pt: its output has no gradient: one of the variables needed"));
  CHECK(fault("def forward(self, x):\n  return torch.linear(x, self.w)[:, 4:]\n") ==
        "data: its samples of 3 values don't go through net.pt: its output is empty, expected values");
  CHECK(fault("def forward(self, x):\n  assert x.size(0) > 1, 'pairs'\n  return torch.linear(x, self.w)\n") ==
        "data: a single sample doesn't go through net.pt: pairs");
  CHECK(contains(fault("def other(self, x):\n  return x\n"), "net.pt: has no forward method"));
  auto slashed = two_layers();
  slashed.register_buffer("a/b", at::ones({2}));
  CHECK(contains(error_of([&] { open(slashed, at::randn({2, 3})); }), "net.pt: a/b: no model file has such names"));
  auto holed = two_layers();
  holed.attr("fc2").toModule().attr("bias").toTensor().detach()[1] = NAN;
  CHECK(error_of([&] { open(holed, at::randn({2, 3})); }) == "net.pt: fc2.bias: holds NaN or infinity");
  CHECK(error_of([] {
          open(two_layers(at::kHalf), at::randn({2, 3}));
        }) == "net.pt: fc1.weight is Half, expected float32 or float64; save the module after net.float()");
  CHECK(contains(error_of([] {
                   open(torch::jit::freeze([] {
                          auto net = two_layers();
                          net.eval();
                          return net;
                        }()),
                        at::randn({2, 3}));
                 }),
                 "net.pt: its parameters are constants"));
}

TEST_CASE("a network is a function in eval mode") {
  const std::string body = "def forward(self, x):\n  y = torch.linear(x, self.w)\n  ";
  CHECK(contains(fault(body + "return torch.dropout(y, 0.5, True)\n"),
                 "net.pt: its forward draws random numbers in eval mode"));
  CHECK(contains(fault(body + "self.w.detach().mul_(2)\n  return y\n"), "net.pt: its forward changes w in eval mode"));
  torch::jit::Module net("Net");
  net.register_parameter("w", at::ones({4, 3}), false);
  net.register_buffer("seen", at::zeros({}));
  net.register_attribute("calls", c10::IntType::get(), 0);
  net.define(R"(
def forward(self, x):
  x.mul_(0.5)
  self.calls += 1
  return torch.linear(x, self.w)

def count(self, x):
  self.seen += 1
  return self.forward(x)

def grow(self, x):
  return self.forward(x) * self.calls
)");
  const auto x = at::ones({2, 3});
  open(net, x);
  CHECK(x.equal(at::ones({2, 3})));
  const auto as_forward = [&](const std::string& method) {
    torch::jit::Module outer("Outer");
    outer.register_module("net", net);
    outer.define("def forward(self, x):\n  return self.net." + method + "(x)\n");
    return error_of([&] { open(outer, x); });
  };
  CHECK(contains(as_forward("count"), "net.pt: its forward changes net.seen in eval mode"));
  CHECK(contains(as_forward("grow"), "net.pt: its forward gives other outputs when the same sample comes again"));
}

TEST_CASE("damaged modules are errors, not crashes") {
  const auto bytes = saved(two_layers());
  const auto x = at::randn({2, 3});
  for (size_t i = 0; i < 40; i++) {
    std::string damaged = bytes;
    damaged[i * bytes.size() / 40 + i] ^= static_cast<char>(1 << i % 8);
    error_of([&] { ScriptNetwork(damaged, "net.pt", {}, x, "data"); });
  }
  CHECK(contains(error_of([&] { ScriptNetwork(bytes.substr(0, bytes.size() / 2), "net.pt", {}, x, "data"); }),
                 "net.pt: "));
  CHECK(error_of([&] { ScriptNetwork("", "net.pt", {}, x, "data"); }) ==
        "net.pt: not a TorchScript module, as torch.jit.script(net).save(\"net.pt\") writes one");
}
