#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "common/model_output.h"
#include "common/progress.h"
#include "common/tool.h"
#include "mas/data/dataset.h"
#include "mas/error.h"
#include "mas/evaluation/record.h"
#include "mas/model/architecture.h"
#include "mas/random.h"
#include "mas/training/checkpoint.h"
#include "mas/training/trainer.h"

namespace {

struct Options {
  std::string model, arch, data, task, scenario, resume, checkpoint, optimizer = "adam", penalty_step = "gradient";
  std::optional<double> lr, lambda;
  uint64_t seed = 0;
  bool no_results = false;
  mas::TrainOptions train;
  std::vector<CLI::Option*> of_training;  // what a checkpoint brings itself
  CLI::Option* task_option = nullptr;
  std::string remark;  // for standard error once training begins, which an error would precede
  mas::tool::CommonOptions common;
  mas::tool::ModelOutput output;
};

void add_options(CLI::App& app, Options& o) {
  app.add_option("MODEL", o.model, "model file to go on from (- for standard input)");
  o.output.add_option(app);
  const auto add = [&](const char* name, auto& value, const char* type, const char* text) {
    auto* option = app.add_option(name, value, text)->type_name(type);
    o.of_training.push_back(option);
    return option;
  };
  const auto positive = mas::tool::between(1e-12, 1e12), not_negative = mas::tool::between(0, 1e12);
  const auto count = mas::tool::between(1, 1e12);
  auto& t = o.train;
  add("--arch", o.arch, "ARCH", "new network: mlp:H1,H2,... convnet, lenet or FILE.json");
  add("--data", o.data, "SPEC", "labelled training data, e.g. mnist,classes=0-4 (see mas(7))");
  o.task_option = add("--task", o.task, "NAME", "name of the task [task1, task2, ...]");
  add("--scenario", o.scenario, "WHICH", "task, domain or class [task]");
  add("--epochs", t.epochs, "N", "passes over the data")->check(count)->capture_default_str();
  add("--batch", t.batch_size, "N", "samples a step")->check(count)->capture_default_str();
  add("--optimizer", o.optimizer, "NAME", "adam or sgd")->capture_default_str();
  add("--lr", o.lr, "N", "learning rate [adam 0.001, sgd 0.01]")->check(positive);
  add("--momentum", t.optimizer.momentum, "N", "of sgd")->check(mas::tool::between(0, 0.9999))->capture_default_str();
  add("--weight-decay", t.optimizer.weight_decay, "N", "L2 decay")->check(not_negative)->capture_default_str();
  add("--schedule", t.schedule, "WHICH", "constant, cosine or step:EVERY:FACTOR")->capture_default_str();
  add("--lambda", o.lambda, "N", "weight of the penalty [1 where the model has importance]")->check(not_negative);
  add("--penalty-step", o.penalty_step, "WHICH", "gradient or proximal")->capture_default_str();
  add("--validation", t.validation, "SHARE", "of the samples, held out")
      ->check(mas::tool::between(0, 0.99))
      ->capture_default_str();
  add("--patience", t.patience, "N", "stop after N epochs without a better validation; 0: never")
      ->check(mas::tool::between(0, 1e12))
      ->capture_default_str();
  add("--seed", o.seed, "N", "of weights, order and split")->capture_default_str();
  app.add_option("--checkpoint", o.checkpoint, "write the state there after each epoch")->type_name("FILE");
  app.add_option("--resume", o.resume, "go on from a checkpoint, bit for bit")->type_name("FILE");
  app.add_flag("--no-results", o.no_results, "don't measure and record the accuracy on test data");
  mas::tool::add_common_options(app, o.common);
  app.footer(
      "Examples:\n"
      "  mas-train --arch mlp:400,400 --data glyphs,classes=0-4 --task first -o first.h5\n"
      "  mas-importance first.h5 | mas-train - --data glyphs,classes=5-9 --task second -o both.h5\n");
}

// The model file holds JSON: what can't stand in it is refused before the training, not after.
void check_text(const char* option, const std::string& text) {
  try {
    nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw mas::UsageError(option, "isn't UTF-8 text");
  }
}

// The model with the task to train as its last one.
mas::Model open_model(Options& o, std::unique_ptr<mas::Dataset>& data) {
  const auto open = o.common.open_options();
  if (!o.resume.empty()) {
    mas::Model model(mas::read_model(o.resume), o.resume);
    if (!mas::has_state(model.file) || model.tasks().empty())
      throw mas::Error(o.resume, "isn't a checkpoint of mas-train");
    o.train = mas::parse_train_options(model.tasks().back().options, o.resume);
    data = mas::open_dataset(mas::DataSpec::parse(model.tasks().back().data), open);
    return model;
  }
  check_text("--task", o.task);
  check_text("--data", o.data);
  check_text("--arch", o.arch);
  const auto spec = mas::DataSpec::parse(o.data);
  o.train.optimizer.kind = mas::parse_optimizer(o.optimizer);
  o.train.penalty_step = mas::parse_penalty_step(o.penalty_step);
  o.train.optimizer.lr = o.lr.value_or(o.train.optimizer.kind == mas::OptimizerOptions::Kind::kAdam ? 1e-3 : 1e-2);
  mas::parse_schedule(o.train.schedule);
  if (o.train.patience > 0 && o.train.validation == 0) {
    throw mas::UsageError("--patience", "needs samples to judge by; add --validation 0.1, say");
  }
  if (!o.scenario.empty()) mas::parse_scenario(o.scenario);
  data = mas::open_dataset(spec, open);
  if (!data->has_labels()) throw mas::Error(o.data, "has no labels to learn from");
  auto model = o.arch.empty() ? mas::Model(mas::read_model(o.model), o.model)
                              : mas::Model(mas::make_architecture(o.arch, data->sample_shape()), o.seed);
  if (mas::has_state(model.file)) throw mas::Error(o.model, "is a checkpoint; go on from it with --resume");
  mas::TaskRecord task;
  task.name = o.task.empty() ? fmt::format("task{}", model.tasks().size() + 1) : o.task;
  task.data = spec.str();
  task.classes = data->classes();
  if (task.classes.size() == 1 && o.scenario != "class" && model.tasks().empty()) {
    throw mas::Error(o.data,
                     fmt::format("has one class, {}, and nothing to tell it from; a shell takes ; for itself, so "
                                 "quote 'classes=0;1', or write 0-1",
                                 task.classes[0]));
  }
  task.seed = o.seed;
  if (!o.scenario.empty())
    task.scenario = mas::parse_scenario(o.scenario);
  else if (!model.tasks().empty())
    task.scenario = model.tasks().front().scenario;
  if (!o.model.empty() && model.file.importance.empty() && o.lambda.value_or(0) > 0) {
    throw mas::Error(o.model,
                     "has no importance, so --lambda has nothing to weigh; compute it with mas-importance first");
  }
  o.train.lambda = model.file.importance.empty() ? 0 : o.lambda.value_or(1);
  if (!o.model.empty() && o.lambda.value_or(1) > 0 && !model.tasks().empty() &&
      (model.file.importance.sum.empty() ||
       model.file.importance.tasks != static_cast<int64_t>(model.tasks().size()))) {
    o.remark = fmt::format("{}: task {} has no importance, so nothing holds it still; see mas-importance", o.model,
                           model.tasks().back().name);
  }
  task.options = mas::to_json(o.train);
  model.add_task(task);
  return model;
}

void record_results(mas::Model& model, const Options& o) {
  for (const auto& result : mas::record_test_results(model, o.common.open_options())) {
    if (o.common.quiet) continue;
    if (result.accuracy) {
      fmt::print(o.output.report(), "{}: {:.2f} % of the test samples\n", result.task, 100 * *result.accuracy);
    } else {
      fmt::print(o.output.report(), "{}: not tested: {}\n", result.task, result.why);
    }
  }
}

void check_usage(const Options& o) {
  if (o.checkpoint == "-") throw mas::UsageError("--checkpoint", "needs a file");
  if (o.model.empty() + o.arch.empty() + o.resume.empty() != 2) {
    throw mas::UsageError("MODEL", fmt::format("give one of: a model file{}, --arch for a new network, --resume for a "
                                               "checkpoint",
                                               o.model.empty() ? "" : " (" + o.model + ")"));
  }
  if (o.resume.empty() && o.data.empty())
    throw mas::UsageError("--data", "is required, e.g. --data glyphs,classes=0-4");
  if (o.task_option->count() > 0 && o.task.empty()) throw mas::UsageError("--task", "the name is empty");
  for (const auto* option : o.of_training) {
    if (!o.resume.empty() && option->count() > 0) {
      throw mas::UsageError(option->get_name(), "doesn't go with --resume: the checkpoint brings its own");
    }
  }
}

// A checkpoint that came through a pipe, or can only be read, is resumed all the same.
bool can_be_rewritten(const std::string& path) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return false;
  try {
    mas::tool::check_model_output(path);
    return true;
  } catch (const mas::Error&) {
    return false;
  }
}

int train(Options& o) {
  check_usage(o);
  o.output.check();
  if (!o.checkpoint.empty())
    mas::tool::check_model_output(o.checkpoint);
  else if (can_be_rewritten(o.resume))
    o.checkpoint = o.resume;  // what is interrupted again goes on from there
  std::unique_ptr<mas::Dataset> data;
  auto model = open_model(o, data);
  if (!o.no_results && o.resume.empty()) mas::record_transfer(model, o.common.open_options());
  mas::tool::Progress progress(o.common, "training " + model.tasks().back().name);
  mas::TrainCallbacks callbacks;
  callbacks.progress = [&](int64_t done, int64_t total) {
    if (!o.remark.empty() && !o.common.quiet) fmt::print(stderr, "mas-train: {}\n", std::exchange(o.remark, ""));
    progress(done, total);
  };
  callbacks.epoch = [&](const mas::EpochReport& r) {
    if (o.common.quiet) return;
    progress.clear();
    std::string line = fmt::format("epoch {}/{}  loss {:.4f}", r.epoch, r.epochs, r.loss);
    if (o.train.lambda > 0) line += fmt::format("  penalty {:.4f}", r.penalty);
    line += fmt::format("  accuracy {:.2f} %", 100 * r.accuracy);
    if (r.validation) line += fmt::format("  validation {:.2f} %", 100 * *r.validation);
    fmt::print(o.output.report(), "{}  {:.1f} s\n", line, r.seconds);
    std::fflush(o.output.report());
  };
  mas::train(model, *data, o.train, o.checkpoint, callbacks);
  progress.clear();
  if (!o.no_results) record_results(model, o);
  o.output.write(model.file);
  return mas::tool::kDone;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Train a network on a task; with importance in the model, without forgetting the tasks before.",
               "mas-train"};
  Options options;
  add_options(app, options);
  return mas::tool::run_tool(app, argc, argv, options.common, [&] { return train(options); });
}
