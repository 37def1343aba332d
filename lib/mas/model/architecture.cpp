#include "mas/model/architecture.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/json.h"
#include "mas/model/architectures/architectures.h"
#include "mas/text.h"

namespace mas {
namespace {

using nlohmann::json;

// A new one is a function in architectures/ and a line here.
const std::map<std::string, ArchitectureMaker>& makers() {
  static const std::map<std::string, ArchitectureMaker> table{
      {"mlp", mlp},     {"convnet", convnet},   {"lenet", lenet},         {"alexnet", alexnet},
      {"vgg16", vgg16}, {"resnet18", resnet18}, {"facts", facts_convnet}, {"facts-vgg16", facts_vgg16},
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
    std::vector<std::string> known;
    for (const auto& [name, ignored] : makers()) known.push_back(name == "mlp" ? "mlp:H1,H2,..." : name);
    throw UsageError("--arch",
                     fmt::format("unknown architecture {} (known: {}; FILE.json)", text, fmt::join(known, "; ")));
  }
  const json description = read_description(text);
  if (description.contains("input") && description["input"] != json(input)) {
    throw Error(text, fmt::format("made for samples of shape {}, but the data have {}", description["input"].dump(),
                                  json(input).dump()));
  }
  json arch{{"name", description.value("name", text.substr(text.find_last_of('/') + 1))},
            {"input", input},
            {"layers", description["layers"]}};
  const auto is_text = [](const json& value) { return value.is_string(); };
  if (const auto added = description.find("new");
      added != description.end() && !(added->is_array() && std::all_of(added->begin(), added->end(), is_text)))
    throw Error(text, fmt::format("\"new\" must be a list of layers' names, got {}", printable(added->dump())));
  for (const char* key : {"head", "own_head", "new"})
    if (description.contains(key)) arch[key] = description[key];
  return arch;
}

json with_own_outputs(json arch, int64_t outputs) {
  constexpr size_t kBranches = 3;  // subject, predicate, object
  if (const auto own = arch.find("own_head"); own != arch.end() && *own != json(false)) return arch;
  json& layers = arch["layers"];
  // What isn't as it should be is refused when the network is built.
  const auto is_branched = [](const json& layer) {
    const auto branches = layer.is_object() ? layer.find("branches") : layer.end();
    return branches != layer.end() && branches->is_array() && branches->size() == kBranches &&
           std::all_of(branches->begin(), branches->end(), [](const json& branch) { return branch.is_array(); });
  };
  const auto add = [&](json& list, const std::string& name, int64_t out) {
    list.push_back(plain("flatten"));  // of pictures; else it changes nothing
    list.push_back(named_linear(name, out));
    arch["new"].push_back(name);
  };
  if (!layers.empty() && is_branched(layers.back()) && outputs % int64_t{kBranches} == 0) {
    json& branches = layers.back()["branches"];
    for (size_t i = 0; i < kBranches; i++) add(branches[i], fmt::format("vectors.{}", i), outputs / int64_t{kBranches});
  } else {
    add(layers, "vectors", outputs);
  }
  arch["own_head"] = true;
  return arch;
}

}  // namespace mas
