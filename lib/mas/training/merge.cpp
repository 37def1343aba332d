#include "mas/training/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/model/sequence.h"
#include "mas/text.h"
#include "mas/training/checkpoint.h"

namespace mas {
namespace {

enum class Rule { kMean, kMode };

Rule parse_rule(const std::string& text) {
  if (text == "mean") return Rule::kMean;
  if (text == "mode") return Rule::kMode;
  throw UsageError("--merge", fmt::format("must be mean or mode, got {}", text));
}

// Divided by their sum, which may be beyond a double before they are made smaller; by a power of 2, that is exactly.
void normalise(std::vector<double>& weights) {
  const auto [least, most] = std::minmax_element(weights.begin(), weights.end());
  if (*least / *most < std::numeric_limits<double>::min())
    throw UsageError("--merge-weights", fmt::format("{} is nothing beside {}", *least, *most));
  const int exponent = std::ilogb(*most);
  double total = 0;
  for (double& weight : weights) total += weight = std::ldexp(weight, -exponent);
  for (double& weight : weights) weight /= total;
}

// α of each file; they add up to 1.
std::vector<double> parse_weights(const MergeOptions& o) {
  std::vector<double> weights(o.models.size(), 1);
  if (!o.weights.empty()) {
    const auto parts = cut(o.weights, ',');
    bool sound = parts.size() == weights.size();
    for (size_t i = 0; i < parts.size() && sound; i++) sound = parse_number(parts[i], weights[i]) && weights[i] > 0;
    if (!sound) {
      throw UsageError("--merge-weights", fmt::format("must be {} positive numbers with commas between them, one for "
                                                      "each model, got {}",
                                                      weights.size(), o.weights));
    }
  }
  normalise(weights);
  return weights;
}

// Of all files alike, for they are weighed against each other.
void check_fisher(const Model& model, const Model& first) {
  const auto &record = model.file.importance, &wanted = first.file.importance;
  if (record.method != "ewc" || record.sum.empty() || record.tasks != static_cast<int64_t>(model.tasks().size())) {
    throw Error(model.name(),
                fmt::format("has no Fisher information of task {}, which --merge mode needs; make it with "
                            "mas-importance --method ewc",
                            model.tasks().back().name));
  }
  if (record.estimator == wanted.estimator && record.outputs == wanted.outputs) return;
  throw Error(model.name(),
              fmt::format("its Fisher information ({}, outputs {}) was estimated otherwise than that of {} "
                          "({}, outputs {}); --merge mode needs all alike",
                          record.estimator, record.outputs, first.name(), wanted.estimator, wanted.outputs));
}

std::vector<Model> open_chain(const MergeOptions& o, bool mode) {
  std::vector<Model> models;
  for (const auto& path : o.models) {
    Model model(read_model(path), input_name(path));
    if (has_state(model.file)) throw Error(model.name(), "is a checkpoint; end its training with --resume first");
    if (model.tasks().empty()) throw Error(model.name(), "has learned no task");
    if (!models.empty()) check_continues(models.back(), model);
    if (mode) check_fisher(model, models.empty() ? model : models.front());
    models.push_back(std::move(model));
  }
  return models;
}

// Σ w θ / Σ w in double, where a head that is still short counts for the rows that it has.
class WeightedMean {
 public:
  explicit WeightedMean(const at::Tensor& like)
      : sum_(at::zeros(like.sizes(), at::kDouble)), weight_(at::zeros(like.sizes(), at::kDouble)) {}

  void add(const at::Tensor& theta, const at::Tensor& weight) {
    part(sum_, theta).add_(weight * theta);
    part(weight_, theta).add_(weight);
  }
  at::Tensor known() const { return weight_ > 0; }
  at::Tensor value() const { return sum_ / weight_; }

 private:
  static at::Tensor part(const at::Tensor& whole, const at::Tensor& theta) {
    return theta.dim() == 0 ? whole : whole.narrow(0, 0, theta.size(0));
  }
  at::Tensor sum_, weight_;
};

// The tensor called `name` in each model's `group`.
at::Tensor merge_tensor(const std::vector<Model>& models, NamedTensors ModelFile::*group, const std::string& name,
                        const std::vector<double>& alpha, bool mode) {
  WeightedMean mean((models.back().file.*group).at(name)), informed((models.back().file.*group).at(name));
  for (size_t t = 0; t < models.size(); t++) {
    const at::Tensor theta = (models[t].file.*group).at(name).detach().to(at::kDouble);
    mean.add(theta, at::full(theta.sizes(), alpha[t], at::kDouble));
    if (!mode) continue;
    const auto& record = models[t].file.importance;
    informed.add(theta, record.sum.at(name) * (alpha[t] / static_cast<double>(record.count)));
  }
  return mode ? at::where(informed.known(), informed.value(), mean.value()) : mean.value();
}

// Of the samples of all tasks together, in their shares α: Σ α (σ² + (μ − Σ α μ)²), for the means lie apart, too.
at::Tensor merge_variance(const std::vector<Model>& models, const std::string& variance, const std::string& mean,
                          const at::Tensor& merged_mean, const std::vector<double>& alpha) {
  at::Tensor sum = at::zeros(merged_mean.sizes(), at::kDouble);
  for (size_t t = 0; t < models.size(); t++) {
    const auto& buffers = models[t].file.buffers;
    sum +=
        alpha[t] * (buffers.at(variance).to(at::kDouble) + (buffers.at(mean).to(at::kDouble) - merged_mean).square());
  }
  return sum;
}

NamedTensors merge_buffers(const std::vector<Model>& models, const std::vector<double>& alpha) {
  NamedTensors merged;
  for (const auto& [name, value] : models.back().file.buffers) {
    if (value.is_floating_point()) merged[name] = merge_tensor(models, &ModelFile::buffers, name, alpha, false);
  }
  const std::string ending = "running_var";
  for (auto& [name, value] : merged) {
    const size_t layer = name.size() - std::min(name.size(), ending.size());
    if (name.substr(layer) != ending) continue;
    const auto mean = merged.find(name.substr(0, layer) + "running_mean");
    if (mean != merged.end()) value = merge_variance(models, name, mean->first, mean->second, alpha);
  }
  return merged;
}

}  // namespace

Model merge_models(const MergeOptions& o) {
  const bool mode = parse_rule(o.rule) == Rule::kMode;
  if (o.models.size() < 2) throw UsageError("--merge", "needs two models or more, those after each task");
  const auto alpha = parse_weights(o);
  auto models = open_chain(o, mode);
  Model& last = models.back();
  const NamedTensors buffers = merge_buffers(models, alpha);
  NamedTensors weights;
  for (const auto& [name, value] : last.file.weights)
    weights[name] = merge_tensor(models, &ModelFile::weights, name, alpha, mode);
  at::NoGradGuard no_grad;
  for (const auto& [name, value] : weights) last.file.weights.at(name).copy_(value);
  for (const auto& [name, value] : buffers) last.file.buffers.at(name).copy_(value);
  last.file.importance = {};
  last.file.encoders.clear();                   // of features that are no longer
  last.file.results = nlohmann::json::array();  // of networks without merging
  last.file.tasks.back()["options"]["merge"] = {{"rule", o.rule}, {"weights", alpha}};
  return std::move(last);
}

}  // namespace mas
