#include "mas/model/pretrained.h"

#include <fstream>
#include <numeric>
#include <set>
#include <sstream>

#include "mas/error.h"
#include "mas/model/architecture.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

using namespace mas;
using mas::test::contains;
using mas::test::Scratch;
using nlohmann::json;

namespace {

Model model_for(const json& arch, int64_t classes, Scenario scenario = Scenario::kTask) {
  Model model(arch, 1);
  TaskRecord task;
  task.name = "first";
  task.data = "data";
  task.classes.resize(static_cast<size_t>(classes));
  std::iota(task.classes.begin(), task.classes.end(), 0);
  task.scenario = scenario;
  model.add_task(task);
  return model;
}

// A small network with a batch norm, and the weights that some program published for it, with 3 classes.
json small() {
  return {{"name", "net"},
          {"input", {4}},
          {"head", "out"},
          {"layers", {{{"type", "linear"}, {"name", "a"}, {"out", 2}}, {{"type", "batch_norm1d"}, {"name", "n"}}}}};
}

StateDict published() {
  StateDict dict;
  for (const auto& [name, shape] : std::map<std::string, Shape>{{"a.weight", {2, 4}},
                                                                {"a.bias", {2}},
                                                                {"n.weight", {2}},
                                                                {"n.bias", {2}},
                                                                {"n.running_mean", {2}},
                                                                {"n.running_var", {2}},
                                                                {"out.weight", {3, 2}},
                                                                {"out.bias", {3}}}) {
    dict.tensors[name] = torch::rand(shape);
  }
  dict.tensors["n.num_batches_tracked"] = torch::tensor(int64_t{5});
  return dict;
}

std::string fault(const StateDict& dict) {
  auto model = model_for(small(), 3);
  const auto before = model.file.weights.at("a.weight").clone();
  const std::string text = test::error_of([&] { adopt_weights(model, dict, "w.pt"); });
  CHECK(model.file.weights.at("a.weight").equal(before) == !text.empty());
  return text;
}

// Without values: vgg16 has 138 million.
std::map<std::string, Shape> shapes_of(const std::vector<Layer>& layers) {
  std::map<std::string, Shape> shapes;
  for_each_layer(layers, [&](const Layer& layer) {
    for (const auto& [local, slot] : layer.slots) shapes[layer.name + "." + local] = slot.shape;
  });
  return shapes;
}

// Runs published.py; false where it can't.
bool python(const std::string& arguments) {
  return std::system(("/usr/bin/python3 " + std::string(MAS_SOURCE_DIR) + "/tests/unit/model/published.py " +
                      arguments + " 2>/dev/null")
                         .c_str()) == 0;
}

}  // namespace

TEST_CASE("alexnet, vgg16 and resnet18 have torchvision's names and shapes") {
  std::map<std::string, std::map<std::string, Shape>> want;
  std::ifstream file(std::string(MAS_SOURCE_DIR) + "/tests/unit/model/published_shapes.txt");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string network, tensor;
    words >> network >> tensor;
    auto& shape = want[network][tensor];
    for (int64_t size; words >> size;) shape.push_back(size);
  }
  REQUIRE(want.size() == 3);
  for (const auto& [name, tensors] : want) {
    CAPTURE(name);
    const auto arch = make_architecture(name, {3, 224, 224});
    const auto layers = build_layers(arch["layers"], {3, 224, 224}, "", "layers");
    auto got = shapes_of(layers);
    got[arch["head"].get<std::string>() + ".weight"] = {1000, output_shape(layers, {})[0]};
    got[arch["head"].get<std::string>() + ".bias"] = {1000};
    CHECK(got == tensors);
  }
}

TEST_CASE("facts-vgg16 is all of vgg16 but its head, and three branches that no published weights have") {
  const Shape input{3, 224, 224};
  const auto shapes = [&](const nlohmann::json& arch) {
    return shapes_of(build_layers(arch["layers"], input, "", "layers"));
  };
  auto got = shapes(with_own_outputs(make_architecture("facts-vgg16", input), 30));
  auto want = shapes(make_architecture("vgg16", input));
  REQUIRE(want.size() == 30);
  for (const std::string part : {"subject", "predicate", "object"}) {
    want[part + ".weight"] = {512, 4096};
    want[part + ".bias"] = {512};
  }
  for (const std::string layer : {"vectors.0", "vectors.1", "vectors.2"}) {
    want[layer + ".weight"] = {10, 512};
    want[layer + ".bias"] = {10};
  }
  CHECK(got == want);
}

TEST_CASE("outputs of the network's own stand behind the last layer, or behind each of three branches") {
  const auto linear = [](const char* name) { return nlohmann::json{{"type", "linear"}, {"name", name}, {"out", 4}}; };
  const nlohmann::json branches{{"type", "concat"}, {"branches", {{linear("a")}, {linear("b")}, {linear("c")}}}};
  const nlohmann::json flat{{"name", "n"}, {"input", {5}}, {"layers", {linear("a")}}};
  const nlohmann::json forked{{"name", "n"}, {"input", {5}}, {"layers", {branches}}};
  using Names = std::vector<std::string>;
  CHECK(with_own_outputs(flat, 6)["new"] == Names{"vectors"});
  CHECK(with_own_outputs(forked, 6)["new"] == Names{"vectors.0", "vectors.1", "vectors.2"});
  CHECK(with_own_outputs(forked, 7)["new"] == Names{"vectors"});
  for (const auto& arch : {flat, forked})
    for (const int64_t outputs : {6, 7})
      CHECK(LayeredNetwork(with_own_outputs(arch, outputs), "n").feature_size() == outputs);
  auto own = flat;
  own["own_head"] = true;
  CHECK(with_own_outputs(own, 6) == own);
}

TEST_CASE("the published networks take every image that their poolings leave something of") {
  CHECK(LayeredNetwork(make_architecture("resnet18", {3, 32, 48}), "test").feature_size() == 512);
  CHECK(LayeredNetwork(make_architecture("alexnet", {1, 64, 64}), "test").feature_size() == 4096);
  CHECK(LayeredNetwork(make_architecture("vgg16", {3, 32, 32}), "test").feature_size() == 4096);
  CHECK_THROWS_WITH_AS(LayeredNetwork(make_architecture("vgg16", {3, 31, 32}), "test"),
                       "test: layer 31 (max_pool2d): a window of 2x2 doesn't fit on 1x2", Error);
}

TEST_CASE("every tensor is taken, the head where its size is the task's") {
  const auto dict = published();
  for (const Scenario scenario : {Scenario::kTask, Scenario::kClass}) {
    auto model = model_for(small(), 3, scenario);
    CHECK(adopt_weights(model, dict, "w.pt").empty());
    const auto parameters = model.network().parameters();
    for (const char* name : {"a.weight", "a.bias", "n.weight", "n.bias"}) {
      CHECK(parameters.at(name).equal(dict.tensors.at(name)));
      CHECK(model.file.weights.at(name).data_ptr() == parameters.at(name).data_ptr());
    }
    CHECK(model.file.buffers.at("n.running_var").equal(dict.tensors.at("n.running_var")));
    CHECK(model.head_parameters(model.tasks()[0]).at("weight").equal(dict.tensors.at("out.weight")));
    CHECK(model.head_parameters(model.tasks()[0]).at("bias").equal(dict.tensors.at("out.bias")));
  }
}

TEST_CASE("a head of another size is left out, with a notice") {
  auto model = model_for(small(), 5);
  CHECK(adopt_weights(model, published(), "w.pt") ==
        std::vector<std::string>{"out.weight left out: shape 3 x 2, but this task needs 5 x 2; its head starts anew"});
  CHECK(model.head_parameters(model.tasks()[0]).at("weight").sizes() == at::IntArrayRef({5, 2}));
  model = model_for(small(), 3);
  auto without = published();
  without.tensors.erase("out.bias");
  CHECK(adopt_weights(model, without, "w.pt") ==
        std::vector<std::string>{"out.weight left out: there is no out.bias; its head starts anew"});
  model = model_for(small(), 5);
  without = published();
  without.tensors.erase("out.weight");
  without.tensors.erase("out.bias");
  CHECK(adopt_weights(model, without, "w.pt").empty());
}

TEST_CASE("one of our models' heads is a head too") {
  auto dict = published();
  dict.tensors["head.weight"] = dict.tensors.at("out.weight");
  dict.tensors["head.bias"] = dict.tensors.at("out.bias");
  dict.tensors.erase("out.weight");
  dict.tensors.erase("out.bias");
  auto model = model_for(small(), 3);
  CHECK(adopt_weights(model, dict, "m.h5").empty());
  CHECK(model.head_parameters(model.tasks()[0]).at("bias").equal(dict.tensors.at("head.bias")));
}

TEST_CASE("what doesn't fit is named, with the nearest name, and nothing changes") {
  auto dict = published();
  dict.tensors["a.weights"] = dict.tensors.at("a.weight");
  dict.tensors.erase("a.weight");
  CHECK(fault(dict) == "w.pt: a.weight is missing; the nearest name is a.weights");
  dict = published();
  dict.tensors["a.weight"] = torch::rand({4, 2});
  CHECK(fault(dict) == "w.pt: a.weight: shape 4 x 2, but the architecture needs 2 x 4");
  dict = published();
  dict.tensors.erase("n.running_mean");
  CHECK(contains(fault(dict), "w.pt: n.running_mean is missing; the nearest name is "));
  dict = published();
  dict.tensors["b.weight"] = torch::rand({4, 2});
  CHECK(fault(dict) == "w.pt: b.weight: the architecture has no such tensor; the nearest name is a.weight");
  dict.tensors["b.bias"] = torch::rand({4});
  CHECK(fault(dict) ==
        "w.pt: b.bias: the architecture has no such tensor; if it is the last layer, say so in the "
        "architecture: \"head\": \"b\"");
  dict = published();
  dict.tensors["a.bias"] = torch::ones({2}, torch::kLong);
  CHECK(fault(dict) == "w.pt: a.bias: int64, but the architecture needs float32");
  dict = published();
  dict.tensors["a.bias"][1] = NAN;
  CHECK(fault(dict) == "w.pt: a.bias: holds NaN or infinity, or values too large for float32");
  dict = published();
  dict.tensors["n.extra.num_batches_tracked"] = torch::tensor(int64_t{5});
  CHECK(contains(fault(dict), "w.pt: n.extra.num_batches_tracked: the architecture has no such tensor"));
}

TEST_CASE("half precision is widened and float64 rounded, with a notice") {
  auto dict = published();
  dict.tensors["a.weight"] = torch::full({2, 4}, 0.5, torch::kHalf);
  dict.tensors["a.bias"] = torch::full({2}, -2, torch::kBFloat16);
  dict.tensors["n.weight"] = torch::full({2}, 0.1, torch::kDouble);
  dict.tensors["n.bias"] = torch::full({1}, 0.1, torch::kDouble).expand({2});
  auto model = model_for(small(), 3);
  const auto notices = adopt_weights(model, dict, "w.pt");
  CHECK(std::set<std::string>(notices.begin(), notices.end()) ==
        std::set<std::string>{"1 tensor of float16 widened to float32", "1 tensor of bfloat16 widened to float32",
                              "2 tensors of float64 rounded to float32"});
  CHECK(model.file.weights.at("a.weight").equal(torch::full({2, 4}, 0.5)));
  CHECK(model.file.weights.at("a.bias").equal(torch::full({2}, -2.0)));
  CHECK(model.file.weights.at("n.weight").equal(torch::full({2}, 0.1f)));
}

TEST_CASE("resnet18 with weights that PyTorch saved computes what PyTorch computes") {
  const Scratch scratch;
  if (!python("resnet18 " + scratch / "")) return;
  const auto outputs = read_state_dict(scratch / "outputs.pt").tensors;
  auto model = model_for(make_architecture("resnet18", {3, 70, 64}), 1000);
  CHECK(adopt_weights(model, read_state_dict(scratch / "resnet18.pt"), "resnet18.pt").empty());
  at::NoGradGuard no_grad;
  const auto got = model.forward(outputs.at("x"), model.tasks()[0]);
  CHECK(torch::allclose(got, outputs.at("y"), 1e-4, 1e-4));
}

TEST_CASE("O-Net, described in JSON, computes with its published weights what PyTorch computes") {
  const std::string weights = std::string(MAS_SHARED_DIR) + "/models/mtcnn_onet_zip.pt";
  const Scratch scratch;
  if (!std::filesystem::exists(weights) || !python("onet " + scratch / "" + " " + weights)) return;
  const json arch = make_architecture(std::string(MAS_SOURCE_DIR) + "/tests/unit/model/onet.json", {3, 48, 48});
  const auto outputs = read_state_dict(scratch / "outputs.pt").tensors;
  at::NoGradGuard no_grad;
  for (const char* file : {"mtcnn_onet_zip.pt", "mtcnn_onet.pt"}) {
    auto model = model_for(arch, 2);
    CHECK(adopt_weights(model, read_state_dict(std::string(MAS_SHARED_DIR) + "/models/" + file), file).empty());
    CHECK(torch::allclose(model.network().features(outputs.at("x")), outputs.at("y"), 0, 1e-5));
  }
}
