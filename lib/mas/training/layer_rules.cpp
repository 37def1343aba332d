#include "mas/training/layer_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "mas/error.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr const char* kFreeze = "--freeze";
constexpr const char* kLrFactor = "--lr-factor";
constexpr double kLargestFactor = 1e6;

bool is_within(const std::string& parameter, const std::string& layer) {
  return parameter.rfind(layer, 0) == 0 && (parameter.size() == layer.size() || parameter[layer.size()] == '.');
}

// Every name that a layer can be called by.
std::vector<std::string> layers_of(const std::vector<std::string>& parameters) {
  std::set<std::string> layers(parameters.begin(), parameters.end());
  for (const auto& name : parameters) {
    for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
      layers.insert(name.substr(0, dot));
  }
  return {layers.begin(), layers.end()};
}

std::vector<std::string> outermost(const std::vector<std::string>& parameters) {
  std::set<std::string> layers;
  for (const auto& name : parameters) layers.insert(name.substr(0, name.find('.')));
  return {layers.begin(), layers.end()};
}

void set_lr_factor(LayerRules& rules, const std::string& layer, double factor) {
  if (layer.empty() || !(factor >= 1 / kLargestFactor && factor <= kLargestFactor))
    throw UsageError(kLrFactor, fmt::format("must be LAYER:FACTOR such as head:10, the factor from {:g} to {:g}",
                                            1 / kLargestFactor, kLargestFactor));
  if (!rules.lr_factors.emplace(layer, factor).second)
    throw UsageError(kLrFactor, fmt::format("{} is given twice", layer));
}

}  // namespace

double LayerRules::lr_factor(const std::string& parameter) const {
  size_t longest = 0;
  double result = 1;
  for (const auto& [layer, factor] : lr_factors) {
    if (layer.size() < longest || !is_within(parameter, layer)) continue;
    longest = layer.size();
    result = factor;
  }
  return result;
}

bool LayerRules::is_frozen(const std::string& parameter) const {
  return std::any_of(frozen.begin(), frozen.end(), [&](auto& layer) { return is_within(parameter, layer); });
}

void LayerRules::check(const std::vector<std::string>& parameters, const std::string& name) const {
  const auto require = [&](const std::string& layer, const char* option) {
    const auto is_it = [&](const std::string& parameter) { return is_within(parameter, layer); };
    if (std::any_of(parameters.begin(), parameters.end(), is_it)) return;
    throw Error(
        name, fmt::format("{} {}: no such layer that could learn; did you mean {}? There are {}", option,
                          printable(layer), nearest(layer, layers_of(parameters)), listing(outermost(parameters), 8)));
  };
  for (const auto& layer : frozen) require(layer, kFreeze);
  for (const auto& [layer, factor] : lr_factors) require(layer, kLrFactor);
  const auto stays = [&](const std::string& parameter) { return is_frozen(parameter); };
  if (std::all_of(parameters.begin(), parameters.end(), stays))
    throw Error(name, fmt::format("{} leaves nothing that could learn", kFreeze));
}

void add_lr_factor(LayerRules& rules, const std::string& text) {
  const size_t colon = text.rfind(':');
  double factor = 0;
  if (colon == std::string::npos || !parse_number(text.substr(colon + 1), factor)) factor = 0;
  set_lr_factor(rules, text.substr(0, colon), factor);
}

void add_to_json(nlohmann::json& object, const LayerRules& rules) {
  if (!rules.frozen.empty()) object["freeze"] = rules.frozen;
  if (!rules.lr_factors.empty()) object["lr_factors"] = rules.lr_factors;
}

LayerRules parse_layer_rules(const nlohmann::json& object) {
  LayerRules rules;
  if (object.contains("freeze")) object.at("freeze").get_to(rules.frozen);
  if (!object.contains("lr_factors")) return rules;
  for (const auto& [layer, factor] : object.at("lr_factors").get<std::map<std::string, double>>())
    set_lr_factor(rules, layer, factor);
  return rules;
}

}  // namespace mas
