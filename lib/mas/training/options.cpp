#include "mas/training/options.h"

#include <fmt/format.h>

#include <cmath>

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

void check_train_options(const TrainOptions& o) {
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

}  // namespace mas
