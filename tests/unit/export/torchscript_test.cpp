#include "mas/error.h"
#include "mas/export/formats.h"
#include "mas/model/script_network.h"
#include "unit/io/scratch.h"
#include "unit/model/script.h"

using namespace mas;
using nlohmann::json;

namespace {

torch::jit::Module exported(const Model& model, const std::string& task = "") {
  std::istringstream in(export_torchscript({model, {}, {}, true, task}));
  return torch::jit::load(in);
}

Model with_task(Model model, Scenario scenario) {
  for (const char* name : {"a", "b"}) {
    TaskRecord task;
    task.name = name;
    task.data = "data";
    task.classes = {0, 1, 2, 3};
    task.scenario = scenario;
    model.add_task(task);
  }
  return model;
}

void check_same(const Model& model, const at::Tensor& x) {
  torch::NoGradGuard no_grad;
  for (const auto& task : model.tasks()) {
    CAPTURE(task.name);
    const auto want = model.forward(x, task);
    CHECK(exported(model, task.name).forward({x}).toTensor().allclose(want, 1e-6, 1e-7));
  }
  CHECK(exported(model).forward({x}).toTensor().allclose(model.forward(x, model.tasks().back()), 1e-6, 1e-7));
  CHECK_THROWS_AS(exported(model, "c"), Error);
}

}  // namespace

TEST_CASE("a network of every layer kind computes the same as TorchScript, and follows train()") {
  const json arch = json::parse(R"({"input": [3, 17, 15], "layers": [
    {"type": "conv2d", "name": "a", "out": 6, "kernel": [3, 5], "stride": [2, 1], "padding": [1, 2], "groups": 3},
    {"type": "batch_norm2d", "name": "n"}, {"type": "relu"},
    {"type": "max_pool2d", "kernel": 3, "stride": 2, "padding": 1, "ceil": true},
    {"type": "conv2d", "out": 4, "kernel": 2, "dilation": 2, "bias": false}, {"type": "tanh"},
    {"type": "avg_pool2d", "kernel": 2, "stride": 1}, {"type": "adaptive_avg_pool2d", "out": [1, 2]},
    {"type": "dropout", "p": 0.3}, {"type": "flatten"}, {"type": "linear", "name": "c", "out": 5}, {"type": "sigmoid"}]})");
  const auto x = torch::randn({5, 3, 17, 15});
  for (const auto scenario : {Scenario::kTask, Scenario::kClass}) {
    const auto model = with_task(Model(arch, 3), scenario);
    check_same(model, x);
    auto net = exported(model);
    CHECK(net.attr("layers").toModule().attr("4").toModule().hasattr("weight"));
    CHECK(net.attr("head").toModule().attr("bias").toTensor().requires_grad());
    net.train();
    CHECK(!net.forward({x}).toTensor().equal(net.forward({x}).toTensor()));
  }
}

TEST_CASE("a module comes back with the weights of now, and a task's head") {
  const auto bytes = test::saved(test::two_layers());
  const auto x = torch::randn({5, 3});
  for (const char* layer : {"", "fc1"}) {
    CAPTURE(layer);
    auto network = std::make_unique<ScriptNetwork>(bytes, "net.pt", ScriptOutput{layer, ""}, x, "data");
    const auto arch = network->architecture();
    auto model = with_task(Model(std::move(network), arch, bytes), Scenario::kTask);
    model.file.weights.at("fc1.bias").fill_(0.5);
    check_same(model, x);
    CHECK(exported(model).attr("network").toModule().attr("fc1").toModule().attr("bias").toTensor().equal(
        torch::full({5}, 0.5f)));
  }
  const auto model = with_task(Model(std::make_unique<ScriptNetwork>(bytes, "net.pt", ScriptOutput{}, x, "data"),
                                     {{"type", "torchscript"}, {"input", {3}}, {"outputs", 4}}, bytes),
                               Scenario::kDomain);
  check_same(model, x);
  CHECK(exported(model).hasattr("fc1"));
}

TEST_CASE("a module of token ids comes back, and tied weights are one in it") {
  torch::jit::Module net("Net");
  const auto w = torch::randn({7, 3}).requires_grad_();
  for (const char* name : {"table", "out"}) net.register_parameter(name, w, false);
  net.define("def forward(self, x):\n  return torch.linear(torch.mean(torch.embedding(self.table, x), 1), self.out)\n");
  const auto bytes = test::saved(net);
  const auto x = torch::randint(0, 7, {5, 4});
  for (const auto scenario : {Scenario::kTask, Scenario::kClass}) {
    auto network = std::make_unique<ScriptNetwork>(bytes, "net.pt", ScriptOutput{}, x, "data");
    const auto arch = network->architecture();
    const auto model = with_task(Model(std::move(network), arch, bytes), scenario);
    check_same(model, x);
    const auto back = exported(model);
    const auto inner = scenario == Scenario::kTask ? back.attr("network").toModule() : back;
    CHECK(inner.attr("table").toTensor().is_alias_of(inner.attr("out").toTensor()));
    CHECK(!inner.attr("table").toTensor().is_alias_of(w));
  }
}

TEST_CASE("what TorchScript can't spell is refused, not written") {
  const auto refusal = [](const char* first, const char* second) {
    const json arch{
        {"input", {3}},
        {"layers",
         {{{"type", "linear"}, {"name", first}, {"out", 3}}, {{"type", "linear"}, {"name", second}, {"out", 3}}}}};
    const auto model = with_task(Model(arch, 3), Scenario::kTask);
    return test::error_of([&] { exported(model); });
  };
  CHECK(refusal("a", "a b").empty());
  const std::string cause = ": TorchScript can't have a tensor of this name";
  CHECK(test::contains(refusal("a", "b..c"), "b..c.bias" + cause + "; give the layer another name"));
  CHECK(test::contains(refusal("a", "\u00e9"), cause));
  CHECK(test::contains(refusal("a", "a.bias"), "a.bias" + cause + " beside a.bias.bias"));
  CHECK(test::contains(refusal("a", "training"), ": can't be written as TorchScript: "));
}
