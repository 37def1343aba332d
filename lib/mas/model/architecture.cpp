#include "mas/model/architecture.h"

#include <sstream>

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/json.h"

namespace mas {
namespace {

using nlohmann::json;

// Fully connected with ReLU, the network of most split-MNIST studies: "mlp:400,400" in Hsu et al. 2018.
json mlp(const std::string& widths) {
  json layers = json::array({{{"type", "flatten"}}});
  std::istringstream in(widths);
  int index = 0;
  for (std::string width; std::getline(in, width, ',');) {
    const bool digits =
        !width.empty() && width.size() < 8 && width.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || std::stoi(width) < 1) {
      throw UsageError("--arch", fmt::format("mlp needs widths such as mlp:400,400, got mlp:{}", widths));
    }
    layers.push_back({{"type", "linear"}, {"name", fmt::format("fc{}", ++index)}, {"out", std::stoi(width)}});
    layers.push_back({{"type", "relu"}});
  }
  if (index == 0 || widths.back() == ',') {
    throw UsageError("--arch", fmt::format("mlp needs widths such as mlp:400,400, got mlp:{}", widths));
  }
  return layers;
}

json conv(const std::string& name, int out, int kernel, int padding = 0) {
  json layer{{"type", "conv2d"}, {"name", name}, {"out", out}, {"kernel", kernel}};
  if (padding) layer["padding"] = padding;
  return layer;
}

// Two convolutions and a pooling, PyTorch's MNIST example without its dropout.
json convnet() {
  return {conv("conv1", 32, 3),
          {{"type", "relu"}},
          conv("conv2", 64, 3),
          {{"type", "relu"}},
          {{"type", "max_pool2d"}, {"kernel", 2}},
          {{"type", "flatten"}}};
}

// LeNet-5 (LeCun et al. 1998) as it is built today: ReLU and max pooling.
json lenet() {
  const json relu{{"type", "relu"}}, pool{{"type", "max_pool2d"}, {"kernel", 2}};
  return {conv("conv1", 6, 5, 2),
          relu,
          pool,
          conv("conv2", 16, 5),
          relu,
          pool,
          {{"type", "flatten"}},
          {{"type", "linear"}, {"name", "fc1"}, {"out", 120}},
          relu,
          {{"type", "linear"}, {"name", "fc2"}, {"out", 84}},
          relu};
}

json read_description(const std::string& path) {
  constexpr size_t kMostBytes = size_t{64} << 20;
  constexpr int kDeepest = 16;  // descriptions are a few levels deep
  const json description = parse_json(read_input(path, [](const std::string&) { return kMostBytes; }), kDeepest, path);
  if (description.is_object() && description.contains("name") && !description["name"].is_string()) {
    throw Error(path, "\"name\" must be a string");
  }
  if (!description.is_object() || !description.contains("layers") || !description["layers"].is_array()) {
    throw Error(path, "no architecture: needs an object with \"layers\": [...]");
  }
  return description;
}

}  // namespace

json make_architecture(const std::string& text, const Shape& input) {
  json arch{{"name", text}, {"input", input}};
  if (text.rfind("mlp:", 0) == 0) {
    arch["layers"] = mlp(text.substr(4));
  } else if (text == "convnet") {
    arch["layers"] = convnet();
  } else if (text == "lenet") {
    arch["layers"] = lenet();
  } else if (text.size() > 5 && text.substr(text.size() - 5) == ".json") {
    const json description = read_description(text);
    if (description.contains("input") && description["input"] != json(input)) {
      throw Error(text, fmt::format("made for samples of shape {}, but the data have {}", description["input"].dump(),
                                    json(input).dump()));
    }
    arch["name"] = description.value("name", text.substr(text.find_last_of('/') + 1));
    arch["layers"] = description["layers"];
  } else {
    throw UsageError(
        "--arch",
        fmt::format("unknown architecture {} (known: mlp:H1,H2,... convnet, lenet, FILE.json, FILE.pt)", text));
  }
  return arch;
}

}  // namespace mas
