#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "common/model_output.h"
#include "common/print.h"
#include "common/progress.h"
#include "common/tool.h"
#include "mas/error.h"
#include "mas/evaluation/record.h"
#include "mas/training/merge.h"
#include "mas/training/prepare.h"

namespace {

constexpr uint64_t kMost = 1000000000000;  // epochs, samples

struct Options {
  mas::TaskOptions task;
  mas::MergeOptions merge;
  std::vector<std::string> models;
  std::string checkpoint, optimizer = "adam", penalty_step = "gradient", track, distill;
  bool no_results = false;
  std::vector<CLI::Option*> of_training;  // what a checkpoint brings itself
  std::vector<CLI::Option*> of_distillation;
  CLI::Option *of_codes = nullptr, *xi_option = nullptr, *merge_option = nullptr, *weights_option = nullptr;
  mas::tool::CommonOptions common;
  mas::tool::ModelOutput output;
};

void add_options(CLI::App& app, Options& o) {
  auto& task = o.task;
  auto& t = task.train;
  app.add_option("MODEL", o.models, "model file to go on from (- for standard input); several to --merge");
  o.output.add_option(app);
  const auto add = [&](const char* name, auto& value, const char* type, const char* text) {
    auto* option = app.add_option(name, value, text)->type_name(type);
    o.of_training.push_back(option);
    return option;
  };
  const auto positive = mas::tool::between(1e-12, 1e12), not_negative = mas::tool::between(0, 1e12);
  const auto count = mas::tool::whole(1, kMost);
  add("--arch", task.arch, "ARCH", "new network: mlp:H1,H2,... or another name, FILE.json or FILE.pt (see mas(7))");
  add("--init", task.init, "WEIGHTS", "its weights: safetensors, a PyTorch state dict or a model file");
  add("--features", task.output.features, "LAYER",
      "heads go on this layer of FILE.pt, a TorchScript module [its output]");
  add("--return", task.output.returned, "N|NAME", "which one, where FILE.pt or that layer returns several values");
  add("--data", task.data, "SPEC",
      "labelled training data, e.g. mnist,classes=0-4 (see mas(7)); several: joint training")
      ->take_all()
      ->allow_extra_args(false);
  add("--task", task.names, "NAME", "name of the task, or of each --data [task1, task2, ...]")
      ->take_all()
      ->allow_extra_args(false);
  add("--scenario", task.scenario, "WHICH", "task, domain or class [task]");
  add("--epochs", t.epochs, "N", "passes over the data")->check(count)->capture_default_str();
  add("--batch", t.batch_size, "N", "samples a step")->check(count)->capture_default_str();
  add("--optimizer", o.optimizer, "NAME", "adam or sgd")->capture_default_str();
  add("--lr", task.lr, "N", "learning rate [adam 0.001, sgd 0.01]")->check(positive);
  add("--momentum", t.optimizer.momentum, "N", "of sgd")->check(mas::tool::between(0, 0.9999))->capture_default_str();
  add("--weight-decay", t.optimizer.weight_decay, "N", "L2 decay")->check(not_negative)->capture_default_str();
  add("--schedule", t.schedule, "WHICH", "constant, cosine or step:EVERY:FACTOR")->capture_default_str();
  add("--lambda", task.lambda, "N", "weight of the penalty [1; with --penalty-step proximal 1/lr]")
      ->check(not_negative);
  add("--penalty-step", o.penalty_step, "WHICH", "gradient or proximal")->capture_default_str();
  add("--distill", o.distill, "WHICH", "lwf or ebll: keep what earlier tasks' heads answer on the new data");
  auto& distill = t.distill;
  for (auto* option : {add("--temperature", distill.temperature, "N", "of these answers' softmax")->check(positive),
                       add("--distill-weight", distill.weight, "N", "of their term")->check(not_negative)}) {
    o.of_distillation.push_back(option->capture_default_str());
  }
  o.of_codes = add("--code-weight", distill.code_weight, "N", "of ebll's codes of features")->check(not_negative);
  o.of_codes->capture_default_str();
  add("--code", task.code, "N", "of the code by which ebll can keep this task later [0; with ebll the last one's]")
      ->check(mas::tool::whole(0, kMost));
  add("--track", o.track, "si", "record the path of training as the task's importance (Synaptic Intelligence)");
  o.xi_option = add("--xi", t.xi, "N", "damping of --track si")->check(positive)->capture_default_str();
  add("--validation", t.validation, "SHARE", "of the samples, held out")
      ->check(mas::tool::between(0, 0.99))
      ->capture_default_str();
  add("--patience", t.patience, "N", "stop after N epochs without a better validation; 0: never")
      ->check(mas::tool::whole(0, kMost))
      ->capture_default_str();
  add("--seed", task.seed, "N", "of weights, order and split")
      ->check(mas::tool::whole(0, UINT64_MAX))
      ->capture_default_str();
  o.merge_option =
      add("--merge", o.merge.rule, "RULE", "mean or mode of the MODELs after each task of a chain; nothing is trained");
  o.weights_option = add("--merge-weights", o.merge.weights, "A1,A2,...", "of the models [equal]");
  app.add_option("--checkpoint", o.checkpoint, "write the state there after each epoch")->type_name("FILE");
  app.add_option("--resume", task.resume, "go on from a checkpoint, bit for bit")->type_name("FILE");
  app.add_flag("--no-results", o.no_results, "don't measure and record the accuracy on test data");
  mas::tool::add_common_options(app, o.common);
  app.footer(
      "Examples:\n"
      "  mas-train --arch mlp:400,400 --data glyphs,classes=0-4 --task first -o first.h5\n"
      "  mas-importance first.h5 | mas-train - --data glyphs,classes=5-9 --task second -o both.h5\n");
}

void record_results(mas::Model& model, const Options& o) {
  for (const auto& result : mas::record_test_results(model, o.task.open)) {
    if (o.common.quiet) continue;
    if (result.accuracy) {
      mas::tool::print(o.output.report(), "{}: {:.2f} % of the test samples\n", result.task, 100 * *result.accuracy);
    } else {
      mas::tool::print(o.output.report(), "{}: not tested: {}\n", result.task, result.why);
    }
  }
}

void check_usage(const Options& o) {
  if (o.models.size() > 1) throw mas::UsageError(o.models[1], "unexpected argument; see mas-train --help");
  if (o.checkpoint == "-") throw mas::UsageError("--checkpoint", "needs a file");
  const auto& task = o.task;
  if (mas::tool::same_file(o.checkpoint, task.model))
    throw mas::UsageError("--checkpoint",
                          "is the MODEL, which a training that breaks off would lose; name another file");
  if (task.model.empty() + task.arch.empty() + task.resume.empty() != 2) {
    throw mas::UsageError("MODEL", fmt::format("give one of: a model file{}, --arch for a new network, --resume for a "
                                               "checkpoint",
                                               task.model.empty() ? "" : " (" + task.model + ")"));
  }
  if (task.resume.empty() && task.data.empty())
    throw mas::UsageError("--data", "is required, e.g. --data glyphs,classes=0-4");
  for (const auto& name : task.names)
    if (name.empty()) throw mas::UsageError("--task", "the name is empty");
  if (o.weights_option->count() > 0) throw mas::UsageError("--merge-weights", "is for --merge");
  for (const auto* option : o.of_distillation) {
    if (o.distill.empty() && option->count() > 0) throw mas::UsageError(option->get_name(), "needs --distill");
  }
  if (o.distill != "ebll" && o.of_codes->count() > 0) throw mas::UsageError("--code-weight", "needs --distill ebll");
  if (!o.track.empty() && o.track != "si") throw mas::UsageError("--track", "must be si, got " + o.track);
  if (o.track.empty() && o.xi_option->count() > 0) throw mas::UsageError("--xi", "is for --track si");
  for (const auto* option : o.of_training) {
    if (!task.resume.empty() && option->count() > 0) {
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

// Remarks wait for the first samples: an error, which is one line alone, comes before them.
mas::TrainCallbacks reports(const Options& o, mas::tool::Progress& progress, std::vector<std::string> remarks,
                            const mas::TrainOptions& options) {
  mas::TrainCallbacks callbacks;
  if (o.common.quiet) remarks.clear();
  callbacks.progress = [&progress, remarks](int64_t done, int64_t total) mutable {
    for (const auto& remark : std::exchange(remarks, {})) mas::tool::print(stderr, "mas-train: {}\n", remark);
    progress(done, total);
  };
  callbacks.epoch = [&o, &progress, &options](const mas::EpochReport& r) {
    if (o.common.quiet) return;
    progress.clear();
    std::string line = fmt::format("epoch {}/{}  loss {:.4f}", r.epoch, r.epochs, r.loss);
    if (options.lambda > 0) line += fmt::format("  penalty {:.4f}", r.penalty);
    if (options.distill.active()) line += fmt::format("  distill {:.4f}", r.distill);
    line += fmt::format("  accuracy {:.2f} %", 100 * r.accuracy);
    if (r.validation) line += fmt::format("  validation {:.2f} %", 100 * *r.validation);
    mas::tool::print(o.output.report(), "{}  {:.1f} s\n", line, r.seconds);
    mas::tool::flush(o.output.report());
  };
  callbacks.encoder = [&o, &progress](const mas::EncoderReport& r) {
    if (o.common.quiet) return;
    progress.clear();
    mas::tool::print(o.output.report(), "code  error {:.4f}  accuracy {:.2f} %\n", r.error, 100 * r.accuracy);
  };
  return callbacks;
}

int merge(Options& o) {
  for (const auto* option : o.of_training) {
    if (option->count() > 0 && option != o.merge_option && option != o.weights_option)
      throw mas::UsageError(option->get_name(), "has no meaning with --merge, which trains nothing");
  }
  if (!o.checkpoint.empty() || !o.task.resume.empty())
    throw mas::UsageError(o.checkpoint.empty() ? "--resume" : "--checkpoint",
                          "has no meaning with --merge, which trains nothing");
  o.task.open = o.common.open_options();
  o.output.check(o.models.empty() ? "" : o.models.back());
  o.merge.models = o.models;
  mas::Model model = mas::merge_models(o.merge);
  if (!o.no_results) record_results(model, o);
  o.output.write(model.file);
  return mas::tool::kDone;
}

int train(Options& o) {
  if (!o.models.empty()) o.task.model = o.models.front();
  check_usage(o);
  o.task.train.optimizer.kind = mas::parse_optimizer(o.optimizer);
  o.task.train.penalty_step = mas::parse_penalty_step(o.penalty_step);
  o.task.train.track_si = !o.track.empty();
  if (!o.distill.empty()) o.task.train.distill.kind = mas::parse_distill(o.distill);
  o.task.open = o.common.open_options();
  o.output.check(o.task.model);
  if (!o.checkpoint.empty())
    mas::tool::check_model_output(o.checkpoint);
  else if (can_be_rewritten(o.task.resume))
    o.checkpoint = o.task.resume;  // what is interrupted again goes on from there
  auto [model, data, options, remarks] = mas::prepare_training(o.task);
  if (!o.no_results && o.task.resume.empty() && options.joint == 1) mas::record_transfer(model, o.task.open);
  mas::tool::Progress progress(o.common, "training " + model.tasks().back().name);
  mas::train(model, *data, options, o.checkpoint, reports(o, progress, std::move(remarks), options));
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
  return mas::tool::run_tool(app, argc, argv, options.common,
                             [&] { return options.merge_option->count() > 0 ? merge(options) : train(options); });
}
