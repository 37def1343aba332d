#include "mas/training/distillation.h"

#include <fmt/format.h>

#include <numeric>
#include <set>

#include "mas/error.h"
#include "mas/training/encoder.h"

namespace mas {
namespace {

// The outputs that were there for earlier tasks' classes.
at::Tensor earlier_columns(const Model& model, const std::vector<TaskRecord>& earlier) {
  std::set<int64_t> labels;
  for (const auto& task : earlier) labels.insert(task.classes.begin(), task.classes.end());
  return model.targets(at::tensor(std::vector<int64_t>(labels.begin(), labels.end())), model.tasks().back());
}

}  // namespace

DistillOptions::Kind parse_distill(const std::string& text) {
  if (text == "lwf") return DistillOptions::Kind::kLwf;
  if (text == "ebll") return DistillOptions::Kind::kEbll;
  throw UsageError("--distill", fmt::format("must be lwf or ebll, got {}", text));
}

void add_to_json(nlohmann::json& object, const DistillOptions& options) {
  if (!options.active()) return;
  const bool codes = options.kind == DistillOptions::Kind::kEbll;
  object["distill"] = codes ? "ebll" : "lwf";
  object["temperature"] = options.temperature;
  object["distill_weight"] = options.weight;
  if (codes) object["code_weight"] = options.code_weight;
}

DistillOptions parse_distill_options(const nlohmann::json& object) {
  DistillOptions options;
  if (!object.contains("distill")) return options;
  options.kind = parse_distill(object.at("distill").get<std::string>());
  object.at("temperature").get_to(options.temperature);
  object.at("distill_weight").get_to(options.weight);
  if (options.kind == DistillOptions::Kind::kEbll) object.at("code_weight").get_to(options.code_weight);
  return options;
}

at::Tensor distillation_loss(const at::Tensor& now, const at::Tensor& then, double temperature) {
  return at::cross_entropy_loss(now / temperature, at::softmax(then / temperature, 1));
}

at::Tensor code_loss(const at::Tensor& now, const at::Tensor& then) { return (now - then).square().sum(1).mean(); }

void check_distillable(const Model& model, const std::vector<TaskRecord>& earlier, const DistillOptions& options) {
  if (earlier.empty()) {
    throw Error(model.name(),
                "has learned no task, so --distill has no outputs to keep; train a first task with "
                "mas-train, without it");
  }
  if (earlier.front().scenario == Scenario::kFacts)
    throw Error(model.name(), "has learned facts, and --distill is for classes; leave it out");
  if (options.kind != DistillOptions::Kind::kEbll) return;
  for (const auto& task : earlier) {
    if (model.file.encoders.count(task.name)) continue;
    throw Error(model.name(), fmt::format("task {} has no encoder, which --distill ebll needs; train it with mas-train "
                                          "--code N, or use --distill lwf",
                                          task.name));
  }
}

Distillation::Distillation(const Model& model, const DistillOptions& options) : model_(model), options_(options) {
  const auto& tasks = model.tasks();
  const std::vector<TaskRecord> earlier(tasks.begin(), tasks.end() - 1);
  check_distillable(model, earlier, options);
  switch (tasks.back().scenario) {
    case Scenario::kTask:
      for (const auto& task : earlier) answers_.push_back({task, {}});
      break;
    case Scenario::kDomain:
      answers_.push_back({tasks.back(), {}});
      break;
    case Scenario::kFacts:
      break;  // refused
    case Scenario::kClass:
      answers_.push_back({tasks.back(), earlier_columns(model, earlier)});
  }
  for (const auto& answer : answers_) {
    widths_.push_back(answer.columns.defined() ? answer.columns.numel() : model.outputs(answer.task));
  }
  if (options.kind != DistillOptions::Kind::kEbll) return;
  for (const auto& task : earlier) {
    encoders_.push_back(model.file.encoders.at(task.name));
    widths_.push_back(encoders_.back().at("bias").size(0));
  }
}

std::vector<at::Tensor> Distillation::held(const Model& model, const at::Tensor& features) const {
  std::vector<at::Tensor> held;
  for (const auto& [task, columns] : answers_) {
    const auto all = model.apply_head(features, task);
    held.push_back(columns.defined() ? all.index_select(1, columns) : all);
  }
  for (const auto& encoder : encoders_) held.push_back(encode(encoder, features));
  return held;
}

void Distillation::record(Dataset& data, const std::vector<int64_t>& rows, int64_t batch_size,
                          const std::string& scratch) {
  const auto width = std::accumulate(widths_.begin(), widths_.end(), int64_t{0});
  recording_.emplace(
      data, rows, batch_size, width, [&](const at::Tensor& x) { return at::cat(held(model_, model_.features(x)), 1); },
      scratch, "what earlier tasks answer");
}

at::Tensor Distillation::then(const Batch& batch) const {
  if (!before_) return recording_->of(batch.rows);
  at::NoGradGuard no_grad;
  return at::cat(held(*before_, before_->features(batch.images)), 1);
}

at::Tensor Distillation::loss(const at::Tensor& features, const Batch& batch) const {
  const auto then = this->then(batch).split_with_sizes(widths_, 1);
  const auto now = held(model_, features);
  auto outputs = at::zeros({}), codes = at::zeros({});
  for (size_t i = 0; i < now.size(); i++) {
    if (i < answers_.size()) {
      outputs = outputs + distillation_loss(now[i], then[i], options_.temperature);
    } else {
      codes = codes + code_loss(now[i], then[i]);
    }
  }
  return options_.weight * outputs + options_.code_weight * codes;
}

}  // namespace mas
