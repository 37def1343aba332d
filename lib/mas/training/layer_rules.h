#pragma once
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace mas {

/// What a training does with layers that are named, each as its parameters are: "features.0" is features.0.weight and
/// features.0.bias, "features" all of the layers within it, and "head" the head of the task that is learned.
struct LayerRules {
  std::vector<std::string> frozen;           ///< stay as they are
  std::map<std::string, double> lr_factors;  ///< learn with so many times the learning rate; the longest name counts

  bool empty() const { return frozen.empty() && lr_factors.empty(); }
  /// 1 where nothing is said.
  double lr_factor(const std::string& parameter) const;
  bool is_frozen(const std::string& parameter) const;
  /// Throws Error naming `name`, the option and the nearest layer where a rule is about none of these parameters, or
  /// all would be frozen.
  void check(const std::vector<std::string>& parameters, const std::string& name) const;
};
/// "LAYER:FACTOR" into the rules. Throws UsageError.
void add_lr_factor(LayerRules& rules, const std::string& text);
/// Adds them to a training's options, where there are any.
void add_to_json(nlohmann::json& object, const LayerRules& rules);
/// Throws nlohmann::json::exception, or UsageError.
LayerRules parse_layer_rules(const nlohmann::json& object);

}  // namespace mas
