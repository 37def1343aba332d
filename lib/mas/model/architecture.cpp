#include "mas/model/architecture.h"

#include <map>

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/json.h"
#include "mas/model/architectures/architectures.h"

namespace mas {
namespace {

using nlohmann::json;

// A new one is a function in architectures/ and a line here.
const std::map<std::string, ArchitectureMaker>& makers() {
  static const std::map<std::string, ArchitectureMaker> table{
      {"mlp", mlp},     {"convnet", convnet},   {"lenet", lenet}, {"alexnet", alexnet},
      {"vgg16", vgg16}, {"resnet18", resnet18}, {"facts", facts}, {"facts-vgg16", facts_vgg16},
  };
  return table;
}

json read_description(const std::string& path) {
  constexpr size_t kMostBytes = size_t{64} << 20;
  constexpr int kDeepest = 64;  // containers in containers are some levels deep
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
  const size_t colon = text.find(':');
  const auto maker = makers().find(text.substr(0, colon));
  const bool parameters = maker != makers().end() && maker->second == mlp;  // the others have none
  if (maker != makers().end() && parameters == (colon != std::string::npos)) {
    json arch = maker->second(parameters ? text.substr(colon + 1) : "");
    arch["name"] = text;
    arch["input"] = input;
    return arch;
  }
  if (text.size() <= 5 || text.substr(text.size() - 5) != ".json") {
    throw UsageError("--arch", fmt::format("unknown architecture {} (known: mlp:H1,H2,... convnet, lenet, alexnet, "
                                           "vgg16, resnet18, facts, facts-vgg16, FILE.json)",
                                           text));
  }
  const json description = read_description(text);
  if (description.contains("input") && description["input"] != json(input)) {
    throw Error(text, fmt::format("made for samples of shape {}, but the data have {}", description["input"].dump(),
                                  json(input).dump()));
  }
  json arch{{"name", description.value("name", text.substr(text.find_last_of('/') + 1))},
            {"input", input},
            {"layers", description["layers"]}};
  for (const char* key : {"head", "own_head"})
    if (description.contains(key)) arch[key] = description[key];
  return arch;
}

json with_own_outputs(json arch, int64_t outputs) {
  if (arch.value("own_head", false)) return arch;
  json& layers = arch["layers"];
  const bool branched = !layers.empty() && layers.back().value("type", "") == "concat";
  json* const branches = branched ? &layers.back()["branches"] : nullptr;
  if (branches && branches->is_array() && !branches->empty() && outputs % static_cast<int64_t>(branches->size()) == 0) {
    for (size_t i = 0; i < branches->size(); i++)
      (*branches)[i].push_back(
          named_linear(fmt::format("vectors.{}", i), outputs / static_cast<int64_t>(branches->size())));
  } else {
    layers.push_back(named_linear("vectors", outputs));
  }
  arch["own_head"] = true;
  return arch;
}

}  // namespace mas
