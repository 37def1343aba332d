#include "mas/training/trainer.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "mas/data/loader.h"
#include "mas/error.h"
#include "mas/importance/importance.h"
#include "mas/model/accuracy.h"
#include "mas/random.h"
#include "mas/training/checkpoint.h"
#include "mas/training/joint.h"

namespace mas {
namespace {

using nlohmann::json;

const std::string kPath = "path/";  // of names in TrainState::best

// What a training of the last `joint` tasks changes: the shared parameters, and the heads that these have of their own;
// or all heads.
NamedTensors trainable(const Model& model, int64_t joint, bool all_heads) {
  NamedTensors parameters = model.trainable_parameters();
  for (auto task = all_heads ? model.tasks().begin() : model.tasks().end() - joint; task != model.tasks().end();
       ++task) {
    if (task->scenario != Scenario::kTask) continue;
    for (const auto& [local, value] : model.head_parameters(*task)) {
      parameters[fmt::format("heads/{}/{}", task->name, local)] = value;
    }
  }
  return parameters;
}

NamedTensors snapshot(const NamedTensors& tensors, NamedTensors into = {}) {
  for (const auto& [name, value] : tensors) into[name] = value.detach().clone();
  return into;
}

// θ*: where the tasks before have left their own, those; else where this training starts.
NamedTensors anchor(const Model& model) {
  const ImportanceRecord& importance = model.file.importance;
  if (importance.empty()) return {};
  return importance.anchor.empty() ? snapshot(model.trainable_parameters()) : importance.anchor;
}

struct Rows {
  std::vector<int64_t> training, validation;  // each in the order of the data
};

Rows split_rows(int64_t size, double share, uint64_t seed, const std::string& spec) {
  Rows rows;
  const auto held_out = static_cast<int64_t>(std::llround(share * static_cast<double>(size)));
  if (share > 0 && (held_out < 1 || held_out >= size)) {
    throw Error(spec, fmt::format("{} samples can't be split with --validation {}", size, share));
  }
  const auto order = permutation(size, seed);
  rows.validation.assign(order.begin(), order.begin() + held_out);
  rows.training.assign(order.begin() + held_out, order.end());
  std::sort(rows.validation.begin(), rows.validation.end());
  std::sort(rows.training.begin(), rows.training.end());
  return rows;
}

void check_finite(const NamedTensors& parameters, int64_t epoch, const std::string& name) {
  for (const auto& [parameter, value] : parameters) {
    if (at::isfinite(value.detach()).all().item<bool>()) continue;
    throw Error(name, fmt::format("{} is no longer finite after epoch {}; try a smaller --lr or --lambda, or "
                                  "--penalty-step proximal",
                                  parameter, epoch));
  }
}

// Also of a checkpoint's, which somebody may have edited.
void check(const TrainOptions& o) {
  const auto require = [](bool sound, const char* what) {
    if (!sound) throw Error("training options", what);
  };
  require(o.epochs > 0 && o.batch_size > 0, "epochs and batch must be positive");
  require(o.validation >= 0 && o.validation < 1, "validation must be a share from 0 to below 1");
  require(o.patience >= 0 && (o.patience == 0 || o.validation > 0), "patience needs a share of samples for validation");
  require(std::isfinite(o.lambda) && o.lambda >= 0, "lambda must be a number from 0");
  require(std::isfinite(o.xi) && o.xi > 0, "xi must be a positive number");
  require(std::isfinite(o.optimizer.lr) && o.optimizer.lr > 0, "lr must be a positive number");
  require(std::isfinite(o.distill.temperature) && o.distill.temperature > 0, "temperature must be a positive number");
  for (const double weight : {o.distill.weight, o.distill.code_weight}) {
    require(std::isfinite(weight) && weight >= 0, "weights of distillation must be numbers from 0");
  }
  require(o.code >= 0, "code must be from 0");
  require(o.joint == 1 || (!o.distill.active() && o.code == 0), "distillation and codes are for one task at a time");
}

class Run {
 public:
  Run(Model& model, Dataset& data, const TrainOptions& options, const TrainCallbacks& callbacks)
      : model_(model),
        data_(data),
        options_(options),
        callbacks_(callbacks),
        task_(model.tasks().back()),
        joint_(model, options.joint),
        schedule_(parse_schedule(options.schedule)),
        parameters_(trainable(model, options.joint, options.distill.active())),
        rows_(split_rows(data.size(), options.validation, derive_seed(task_.seed, "validation/" + task_.name),
                         task_.data)) {
    if (has_state(model.file)) {
      state_ = restore_state(model.file, options.epochs, model.name());
    } else {
      fold_anchors(model.file.importance, model.shared_parameters());
      state_.anchor = anchor(model);
      if (options.distill.active()) state_.begin = everything();
      if (options.track_si) state_.path = begin_path(model);
    }
    penalty_.lambda = options.lambda;
    penalty_.factor = penalty_factor(model.file.importance.method);
    penalty_.step = options.penalty_step;
    penalty_.omega = total_importance(model.file.importance);
    for (const auto& name : model.network().frozen()) penalty_.omega.erase(name);
    penalty_.anchor = state_.anchor;
    for (const auto& [name, omega] : penalty_.omega) part_of(state_.anchor, name, omega);
    if (options.optimizer.kind == OptimizerOptions::Kind::kSgd) {
      double scale = 0;
      for (int64_t epoch = 0; epoch < options.epochs && epoch < 10000; epoch++) {
        scale = std::max(scale, schedule_.scale(epoch, options.epochs));
      }
      check_stable(penalty_, options.optimizer.lr * scale, options.optimizer.momentum);
    }
    check_path();
    if (options.code > 0) check_room_for_code();
    if (options.distill.active()) record_outputs();
    ask_for_gradients(true);
    optimizer_ = std::make_unique<Optimizer>(parameters_, options.optimizer, penalty_, state_.path.integral);
    if (has_state(model.file)) restore_optimizer(model.file, *optimizer_, model.name());
  }

  ~Run() {
    ask_for_gradients(false);
    model_.train(false);
  }

  void operator()(const std::string& checkpoint) {
    while (state_.epoch < options_.epochs && !out_of_patience()) {
      EpochReport report = epoch();
      if (callbacks_.epoch) callbacks_.epoch(report);
      if (checkpoint.empty()) continue;
      store_state(model_.file, state_, *optimizer_);
      write_model(model_.file, checkpoint);
    }
    remove_state(model_.file);
    ask_for_gradients(false);
    if (!state_.best.empty()) take_best();
    if (options_.track_si) set_path_importance(model_, state_.path, options_.xi);
    if (options_.code > 0) learn_code();
  }

 private:
  void ask_for_gradients(bool on) {
    for (auto& [name, value] : parameters_) value.set_requires_grad(on);
  }

  void check_room_for_code() const {
    Recording::check_room(static_cast<int64_t>(rows_.training.size()), model_.network().feature_size(),
                          options_.scratch, "features");
  }

  // What EBLL will keep of this task when others are learned.
  void learn_code() {
    const EncoderOptions encoder{options_.code, options_.epochs, options_.batch_size, options_.scratch};
    const auto report = train_encoder(model_, task_, data_, rows_.training, encoder);
    if (callbacks_.encoder) callbacks_.encoder(report);
  }

  // All that training changes.
  NamedTensors everything() const { return snapshot(model_.file.buffers, snapshot(parameters_)); }

  void put_back(const NamedTensors& everything) {
    at::NoGradGuard no_grad;
    for (auto* tensors : {&parameters_, &model_.file.buffers}) {
      for (auto& [name, value] : *tensors) value.copy_(part_of(everything, name, value));
    }
  }

  // What the network answered when the training began, also where it goes on from a checkpoint.
  void record_outputs() {
    distillation_.emplace(model_, options_.distill);
    model_.train(false);
    const NamedTensors now = everything();
    put_back(state_.begin);
    distillation_->record(data_, rows_.training, options_.batch_size, options_.scratch);
    put_back(now);
  }

  // The path is that to the weights which are kept, so that Ω is theirs.
  void take_best() {
    put_back(state_.best);
    for (auto& [name, value] : state_.path.integral) value = part_of(state_.best, kPath + name, value);
  }

  // Somebody may have edited the checkpoint.
  void check_path() const {
    if (!options_.track_si) return;
    for (const auto& [name, value] : model_.trainable_parameters()) {
      part_of(state_.path.start, name, value);
      part_of(state_.path.integral, name, value);
    }
  }

  // A tensor of the checkpoint; throws Error where it isn't there or has another shape.
  const at::Tensor& part_of(const NamedTensors& tensors, const std::string& name, const at::Tensor& like) const {
    const auto it = tensors.find(name);
    if (it == tensors.end() || it->second.sizes() != like.sizes()) {
      throw Error(model_.name(), fmt::format("the checkpoint lacks {} or holds it in another shape", name));
    }
    return it->second;
  }

  bool joint() const { return options_.joint > 1; }

  bool out_of_patience() const {
    return options_.patience > 0 && state_.epoch - state_.best_epoch >= options_.patience;
  }

  EpochReport epoch() {
    const auto begin = std::chrono::steady_clock::now();
    const auto seed = derive_seed(task_.seed, fmt::format("epoch/{}/{}", task_.name, state_.epoch));
    at::manual_seed(seed);
    optimizer_->set_lr(options_.optimizer.lr * schedule_.scale(state_.epoch, options_.epochs));
    LoaderOptions order;
    order.batch_size = options_.batch_size;
    order.shuffle = true;
    order.seed = seed;
    Loader loader(data_, rows_.training, order);
    model_.train(true);
    double loss_sum = 0, distill_sum = 0;
    int64_t right = 0, seen = 0;
    for (Batch batch; loader.next(batch);) {
      const auto n = batch.images.size(0);
      const auto targets = joint() ? batch.labels : model_.targets(batch.labels, task_);
      const auto features = joint() ? at::Tensor() : model_.features(batch.images);
      const auto outputs = joint() ? joint_.outputs(model_, batch.images, targets) : model_.apply_head(features, task_);
      auto loss = at::cross_entropy_loss(outputs, targets);
      const auto value = loss.item<double>();
      double distilled = 0;
      if (distillation_) {
        const auto term = distillation_->loss(features, batch.rows);
        distilled = term.item<double>();
        loss = loss + term;
      }
      if (!std::isfinite(value + distilled)) {
        if (batch.images.is_floating_point() && !at::isfinite(batch.images).all().item<bool>()) {
          throw Error(task_.data, "holds a value that isn't finite");
        }
        throw Error(model_.name(), fmt::format("the loss is {} in epoch {} after {} samples; try a smaller --lr or "
                                               "--lambda, or --penalty-step proximal",
                                               value + distilled, state_.epoch + 1, seen));
      }
      loss.backward();
      optimizer_->step();
      loss_sum += value * static_cast<double>(n);
      distill_sum += distilled * static_cast<double>(n);
      right += count_right(outputs.detach(), targets);
      seen += n;
      if (callbacks_.progress) {
        const auto size = static_cast<int64_t>(rows_.training.size());
        callbacks_.progress(state_.epoch * size + seen, options_.epochs * size);
      }
    }
    model_.train(false);
    state_.epoch++;
    check_finite(parameters_, state_.epoch, model_.name());
    EpochReport report;
    report.epoch = state_.epoch;
    report.epochs = options_.epochs;
    report.loss = loss_sum / static_cast<double>(seen);
    report.accuracy = static_cast<double>(right) / static_cast<double>(seen);
    report.penalty = penalty_value(penalty_, parameters_);
    report.distill = distill_sum / static_cast<double>(seen);
    if (!rows_.validation.empty()) {
      report.validation = (joint() ? joint_.measure(model_, data_, rows_.validation)
                                   : measure_accuracy(model_, task_, data_, rows_.validation))
                              .fraction();
      if (options_.patience > 0 && *report.validation > state_.best_accuracy) {
        state_.best_accuracy = *report.validation;
        state_.best_epoch = state_.epoch;
        state_.best = everything();
        for (const auto& [name, value] : state_.path.integral) state_.best[kPath + name] = value.clone();
      }
    }
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return report;
  }

  Model& model_;
  Dataset& data_;
  const TrainOptions& options_;
  const TrainCallbacks& callbacks_;
  const TaskRecord task_;
  const JointTasks joint_;
  Schedule schedule_;
  NamedTensors parameters_;
  Rows rows_;
  TrainState state_;
  Penalty penalty_;
  std::optional<Distillation> distillation_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace

json to_json(const TrainOptions& o) {
  json object{{"epochs", o.epochs},
              {"batch", o.batch_size},
              {"optimizer", o.optimizer.kind == OptimizerOptions::Kind::kAdam ? "adam" : "sgd"},
              {"lr", o.optimizer.lr},
              {"momentum", o.optimizer.momentum},
              {"weight_decay", o.optimizer.weight_decay},
              {"schedule", o.schedule},
              {"lambda", o.lambda},
              {"penalty_step", o.penalty_step == PenaltyStep::kGradient ? "gradient" : "proximal"},
              {"validation", o.validation},
              {"patience", o.patience}};
  if (o.joint > 1) object["joint"] = o.joint;
  if (o.track_si) object.update({{"track", "si"}, {"xi", o.xi}});
  add_to_json(object, o.distill);
  if (o.code > 0) object["code"] = o.code;
  return object;
}

TrainOptions parse_train_options(const json& object, const std::string& name) {
  TrainOptions o;
  try {
    object.at("epochs").get_to(o.epochs);
    object.at("batch").get_to(o.batch_size);
    o.optimizer.kind = parse_optimizer(object.at("optimizer").get<std::string>());
    object.at("lr").get_to(o.optimizer.lr);
    object.at("momentum").get_to(o.optimizer.momentum);
    object.at("weight_decay").get_to(o.optimizer.weight_decay);
    object.at("schedule").get_to(o.schedule);
    object.at("lambda").get_to(o.lambda);
    o.penalty_step = parse_penalty_step(object.at("penalty_step").get<std::string>());
    object.at("validation").get_to(o.validation);
    object.at("patience").get_to(o.patience);
    o.joint = object.value("joint", o.joint);
    o.track_si = object.value("track", "") == "si";
    o.xi = object.value("xi", o.xi);
    o.distill = parse_distill_options(object);
    o.code = object.value("code", o.code);
    parse_schedule(o.schedule);
  } catch (const json::exception&) {
    throw Error(name, "/tasks lacks the options of a training");
  } catch (const UsageError& error) {
    throw Error(name, fmt::format("/tasks: {}", error.what()));
  }
  if (o.epochs < 1 || o.batch_size < 1) throw Error(name, "/tasks has impossible training options");
  return o;
}

void train(Model& model, Dataset& data, const TrainOptions& options, const std::string& checkpoint,
           const TrainCallbacks& callbacks) {
  check(options);
  if (model.tasks().empty()) throw Error(model.name(), "has no task to train");
  for (const auto& [name, value] : model.shared_parameters()) {
    if (value.scalar_type() == at::kFloat) continue;
    throw Error(model.name(), fmt::format("{} is {}, and training is in float32; save the module after net.float()",
                                          name, c10::toString(value.scalar_type())));
  }
  if (options.joint < 1 || options.joint > static_cast<int64_t>(model.tasks().size()))
    throw Error(model.name(),
                fmt::format("has {} tasks, not {} to train at once", model.tasks().size(), options.joint));
  check_input(model, data, model.tasks().back().data);
  check_combinable(model.file.importance, model.shared_parameters(), model.name());
  Run run(model, data, options, callbacks);
  run(checkpoint);
}

}  // namespace mas
