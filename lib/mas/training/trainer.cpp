#include "mas/training/trainer.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "mas/data/loader.h"
#include "mas/error.h"
#include "mas/gradients.h"
#include "mas/importance/importance.h"
#include "mas/model/accuracy.h"
#include "mas/model/objective.h"
#include "mas/random.h"
#include "mas/training/best.h"
#include "mas/training/checkpoint.h"
#include "mas/training/joint.h"
#include "mas/training/schedule.h"
#include "mas/training/trained_parameters.h"

namespace mas {
namespace {

// θ*: where the tasks before have left their own, those; else where this training starts.
NamedTensors anchor(const Model& model) {
  const ImportanceRecord& importance = model.file.importance;
  if (importance.empty()) return {};
  if (!importance.anchor.empty()) return importance.anchor;
  return cloned(model.trainable_parameters());
}

// What is trained on, for messages about all of it.
std::string specs(const Model& model, const TrainOptions& options) {
  std::vector<std::string> all;
  for (const auto& task : last_tasks(model, options.joint)) all.push_back(task.data);
  return fmt::format("{}", fmt::join(all, " and "));
}

struct Rows {
  std::vector<int64_t> training, validation;  // each in the order of the data
};

Rows split_rows(int64_t size, double share, uint64_t seed, const std::string& specs) {
  Rows rows;
  const auto held_out = static_cast<int64_t>(std::llround(share * static_cast<double>(size)));
  if (share > 0 && (held_out < 1 || held_out >= size)) {
    throw Error(specs, fmt::format("{} samples can't be split with --validation {}", size, share));
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

// What the steps of an epoch add up to.
struct Sums {
  double loss = 0, distill = 0;  // times samples
  int64_t right = 0, seen = 0;
};

class Run {
 public:
  Run(Model& model, Dataset& data, const TrainOptions& options, const TrainCallbacks& callbacks)
      : model_(model),
        data_(data),
        options_(options),
        callbacks_(callbacks),
        task_(model.tasks().back()),
        schedule_(parse_schedule(options.schedule)),
        parameters_(trained_parameters(model, options)),
        trained_(model, parameters_.all),
        objective_(task_.scenario, data),
        rows_(split_rows(data.size(), options.validation, derive_seed(task_.seed, "validation/" + task_.name),
                         specs(model, options))),
        state_(has_state(model.file) ? restore_state(model.file, options.epochs, model.name()) : begin_state()),
        penalty_(make_penalty(model, options, state_.anchor, parameters_.all)) {
    if (options.joint > 1) joint_.emplace(model, options.joint);
    check_state();
    check_steps();
    if (options.code > 0) check_room_for_code();
    if (options.distill.active()) record_outputs();
    optimizer_ = new_optimizer();
    if (has_state(model.file)) restore_optimizer(model.file, *optimizer_, model.name());
  }

  ~Run() { model_.train(false); }

  void operator()(const std::string& checkpoint) {
    learn(checkpoint);
    remove_state(model_.file);
    take_best(state_, trained_);
    if (options_.track_si) set_path_importance(model_, state_.path, options_.xi);
    if (options_.code > 0) learn_code();
  }

 private:
  std::unique_ptr<Optimizer> new_optimizer() const {
    return std::make_unique<Optimizer>(trained_.parameters(), options_.optimizer, penalty_, state_.path.integral,
                                       parameters_.lr_factors);
  }

  // Where a training starts that goes on from no checkpoint.
  TrainState begin_state() {
    TrainState state;
    fold_anchors(model_.file.importance, model_.shared_parameters());
    state.anchor = anchor(model_);
    if (options_.distill.active()) state.begin = trained_.copy();
    if (options_.track_si) state.path = begin_path(model_);
    return state;
  }

  void check_state() const {
    for (const auto& [name, omega] : penalty_.omega) check_part(state_.anchor, "anchor", name, omega, model_.name());
    if (options_.distill.active()) trained_.check_copy(state_.begin, "begin");
    if (options_.track_si) {
      for (const auto& [name, value] : model_.trainable_parameters()) {
        check_part(state_.path.start, "start", name, value, model_.name());
        check_part(state_.path.integral, "path", name, value, model_.name());
      }
    }
    check_best(state_, trained_);
  }

  // Adam's steps have a size of their own.
  void check_steps() const {
    const auto& optimizer = options_.optimizer;
    if (optimizer.kind != OptimizerOptions::Kind::kSgd) return;
    const double lr = optimizer.lr * schedule_.largest_scale(options_.epochs);
    check_stable(penalty_, lr, optimizer.momentum, optimizer.weight_decay, parameters_.lr_factors);
  }

  void learn(const std::string& checkpoint) {
    while (state_.epoch < options_.epochs && !out_of_patience(state_, options_.patience, options_.warm_up)) {
      const bool warming_up = state_.epoch < options_.warm_up;
      // What Adam and momentum gathered is about the head alone.
      if (options_.warm_up > 0 && state_.epoch == options_.warm_up) optimizer_ = new_optimizer();
      const GradientsOn gradients(warming_up ? parameters_.heads : trained_.parameters());
      EpochReport report = epoch();
      if (callbacks_.epoch) callbacks_.epoch(report);
      if (checkpoint.empty()) continue;
      store_state(model_.file, state_, *optimizer_);
      write_model(model_.file, checkpoint);
    }
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

  // What the network answered when the training began, also where it goes on from a checkpoint.
  void record_outputs() {
    distillation_.emplace(model_, options_.distill);
    model_.train(false);
    const NamedTensors now = trained_.copy();
    trained_.put_back(state_.begin);
    if (options_.augment.active()) {
      distillation_->keep();
    } else {
      distillation_->record(data_, rows_.training, options_.batch_size, options_.scratch);
    }
    trained_.put_back(now);
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
    order.augment = options_.augment;
    Loader loader(data_, rows_.training, order);
    model_.train(true);
    Sums sums;
    for (Batch batch; loader.next(batch);) {
      step(batch, sums);
      if (!callbacks_.progress) continue;
      const auto size = static_cast<int64_t>(rows_.training.size());
      callbacks_.progress(state_.epoch * size + sums.seen, options_.epochs * size);
    }
    model_.train(false);
    state_.epoch++;
    check_finite(trained_.parameters(), state_.epoch, model_.name());
    EpochReport report = report_on(sums);
    if (options_.patience > 0) keep_if_best(state_, trained_, *report.validation);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return report;
  }

  void step(const Batch& batch, Sums& sums) {
    const auto targets = joint_ ? batch.labels : model_.targets(batch.labels, task_);
    const auto features = joint_ ? at::Tensor() : model_.features(batch.images);
    const auto outputs = joint_ ? joint_->outputs(model_, batch.images, targets) : model_.apply_head(features, task_);
    auto loss = objective_.loss(outputs, targets);
    const auto value = loss.item<double>();
    double distilled = 0;
    if (distillation_) {
      const auto term = distillation_->loss(features, batch);
      distilled = term.item<double>();
      loss = loss + term;
    }
    if (!std::isfinite(value + distilled)) throw not_finite(value + distilled, batch, sums.seen);
    loss.backward();
    optimizer_->step();
    const auto n = batch.images.size(0);
    sums.loss += value * static_cast<double>(n);
    sums.distill += distilled * static_cast<double>(n);
    sums.right += objective_.count_right(outputs.detach(), targets);
    sums.seen += n;
  }

  Error not_finite(double loss, const Batch& batch, int64_t seen) const {
    const auto tasks = last_tasks(model_, options_.joint);
    for (size_t i = 0; i < batch.rows.size() && batch.images.is_floating_point(); i++) {
      if (at::isfinite(batch.images[static_cast<int64_t>(i)]).all().item<bool>()) continue;
      return {tasks[part_of(data_, batch.rows[i])].data, "holds a value that isn't finite"};
    }
    return {model_.name(),
            fmt::format("the loss is {} in epoch {} after {} samples; try a smaller --lr or --lambda, or "
                        "--penalty-step proximal",
                        loss, state_.epoch + 1, seen)};
  }

  // Of the epoch that has just ended; measures on the samples that are held out.
  EpochReport report_on(const Sums& sums) {
    const auto seen = static_cast<double>(sums.seen);
    EpochReport report;
    report.epoch = state_.epoch;
    report.epochs = options_.epochs;
    report.loss = sums.loss / seen;
    report.accuracy = static_cast<double>(sums.right) / seen;
    report.penalty = penalty_value(penalty_, trained_.parameters());
    report.distill = sums.distill / seen;
    if (rows_.validation.empty()) return report;
    report.validation = (joint_ ? joint_->measure(model_, data_, rows_.validation)
                                : measure_accuracy(model_, task_, data_, rows_.validation))
                            .fraction();
    return report;
  }

  Model& model_;
  Dataset& data_;
  const TrainOptions& options_;
  const TrainCallbacks& callbacks_;
  const TaskRecord task_;
  std::optional<JointTasks> joint_;  // where there are several
  Schedule schedule_;
  TrainedParameters parameters_;
  Trained trained_;
  Objective objective_;
  Rows rows_;
  TrainState state_;
  Penalty penalty_;
  std::optional<Distillation> distillation_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace

void train(Model& model, Dataset& data, const TrainOptions& options, const std::string& checkpoint,
           const TrainCallbacks& callbacks) {
  check_train_options(options);
  if (model.tasks().empty()) throw Error(model.name(), "has no task to train");
  for (const auto& [name, value] : model.shared_parameters()) {
    if (value.scalar_type() == at::kFloat) continue;
    throw Error(model.name(), fmt::format("{} is {}, and training is in float32; save the module after net.float()",
                                          name, c10::toString(value.scalar_type())));
  }
  check_input(model, data, specs(model, options));
  check_combinable(model.file.importance, model.shared_parameters(), model.name());
  Run run(model, data, options, callbacks);
  run(checkpoint);
}

}  // namespace mas
