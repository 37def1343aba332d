#include "mas/training/options.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "mas/error.h"
#include "mas/training/schedule.h"

namespace mas {

using nlohmann::json;

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
  add_to_json(object, o.layers);
  if (o.warm_up > 0) object["warm_up"] = o.warm_up;
  if (o.augment.active()) object["augment"] = o.augment.str();
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
    o.layers = parse_layer_rules(object);
    o.warm_up = object.value("warm_up", o.warm_up);
    if (object.contains("augment")) o.augment = Augmentation::parse(object.at("augment").get<std::string>());
    o.joint = object.value("joint", o.joint);
    o.track_si = object.contains("track");
    if (o.track_si && object.at("track") != "si") throw UsageError("--track", "must be si");
    o.xi = object.value("xi", o.xi);
    o.distill = parse_distill_options(object);
    o.code = object.value("code", o.code);
    check_train_options(o);
  } catch (const json::exception&) {
    throw Error(name, "/tasks lacks the options of a training");
  } catch (const UsageError& error) {
    throw Error(name, fmt::format("/tasks: {}", error.what()));
  }
  return o;
}

void check_train_options(const TrainOptions& o) {
  const auto require = [](bool sound, const char* option, const char* what) {
    if (!sound) throw UsageError(option, what);
  };
  const auto positive = [&](double value, const char* option) {
    require(std::isfinite(value) && value > 0, option, "must be a positive number");
  };
  const auto not_negative = [&](double value, const char* option) {
    require(std::isfinite(value) && value >= 0, option, "must be a number from 0");
  };
  const auto count = [&](int64_t value, int64_t least, const char* option) {
    if (value >= least && value <= kMostOfTraining) return;
    throw UsageError(option,
                     fmt::format("must be a whole number from {} to {}, got {}", least, kMostOfTraining, value));
  };
  count(o.epochs, 1, "--epochs");
  count(o.batch_size, 1, "--batch");
  positive(o.optimizer.lr, "--lr");
  require(o.optimizer.momentum >= 0 && o.optimizer.momentum < 1, "--momentum", "must be a number from 0 to below 1");
  not_negative(o.optimizer.weight_decay, "--weight-decay");
  parse_schedule(o.schedule);
  count(o.warm_up, 0, "--warm-up");
  require(o.warm_up == 0 || o.warm_up < o.epochs, "--warm-up", "must leave an epoch of --epochs for the other layers");
  not_negative(o.lambda, "--lambda");
  require(o.validation >= 0 && o.validation < 1, "--validation", "must be a share from 0 to below 1");
  count(o.patience, 0, "--patience");
  require(o.patience == 0 || o.validation > 0, "--patience", "needs samples to judge by; add --validation 0.1, say");
  positive(o.xi, "--xi");
  positive(o.distill.temperature, "--temperature");
  not_negative(o.distill.weight, "--distill-weight");
  not_negative(o.distill.code_weight, "--code-weight");
  count(o.code, 0, "--code");
  for (const auto& [option, given] : {std::pair{"--distill", o.distill.active()}, {"--code", o.code > 0}}) {
    require(!given || o.joint <= 1, option, "is for one task at a time; give one --data");
  }
}

}  // namespace mas
