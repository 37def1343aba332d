#include "common/training_options.h"

#include <fmt/format.h>

#include "mas/error.h"

namespace mas::tool {
namespace {

// An option that means something with another alone.
struct Need {
  const char* option;
  bool met;
  const char* text;
};

void check_needs(const CLI::App& app, const TrainingOptions& o) {
  for (const auto& [option, met, text] : {Need{"--momentum", o.optimizer == "sgd", "is for --optimizer sgd"},
                                          {"--temperature", !o.distill.empty(), "needs --distill"},
                                          {"--distill-weight", !o.distill.empty(), "needs --distill"},
                                          {"--code-weight", o.distill == "ebll", "needs --distill ebll"},
                                          {"--xi", !o.track.empty(), "is for --track si"},
                                          {"--merge-weights", false, "is for --merge"}}) {
    if (!met && app.count(option) > 0) throw UsageError(option, text);
  }
}

}  // namespace

void add_training_options(CLI::App& app, TrainingOptions& o) {
  auto& task = o.task;
  auto& t = task.train;
  app.add_option("MODEL", o.models, "model file to go on from (- for standard input); several to --merge");
  o.output.add_option(app);
  const auto add = [&](const char* name, auto& value, const char* type, const char* text) {
    auto* option = app.add_option(name, value, text)->type_name(type);
    o.of_training.push_back(option);
    return option;
  };
  const auto positive = between(1e-12, 1e12), not_negative = between(0, 1e12);
  const auto count = whole(1, kMostOfTraining);
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
  add("--scenario", task.scenario, "WHICH", "task, domain, class or facts [by the data]");
  add("--epochs", t.epochs, "N", "passes over the data")->check(count)->capture_default_str();
  add("--batch", t.batch_size, "N", "samples a step")->check(count)->capture_default_str();
  add("--augment", o.augment, "HOW", "random changes of images: crop[:PIXELS] or resized-crop[:SHARE], and flip");
  add("--optimizer", o.optimizer, "NAME", "adam or sgd")->capture_default_str();
  add("--lr", task.lr, "N", "learning rate [adam 0.001, sgd 0.01]")->check(positive);
  add("--momentum", t.optimizer.momentum, "N", "of sgd")->check(between(0, 0.9999))->capture_default_str();
  add("--weight-decay", t.optimizer.weight_decay, "N", "L2 decay")->check(not_negative)->capture_default_str();
  add("--schedule", t.schedule, "WHICH", "constant, cosine or step:EVERY:FACTOR")->capture_default_str();
  add("--freeze", t.layers.frozen, "LAYER", "layers that stay as they are, such as features.0 or head")
      ->take_all()
      ->allow_extra_args(false);
  add("--lr-factor", o.lr_factors, "LAYER:N", "a layer's learning rate, times --lr, such as head:10")
      ->take_all()
      ->allow_extra_args(false);
  add("--warm-up", t.warm_up, "N", "epochs at first in which the head learns alone")
      ->check(whole(0, kMostOfTraining))
      ->capture_default_str();
  add("--lambda", task.lambda, "N", "weight of the penalty [1; 1/lr for adam's proximal step; 0 with --distill]")
      ->check(not_negative);
  add("--penalty-step", o.penalty_step, "WHICH", "gradient or proximal [gradient]");
  add("--distill", o.distill, "WHICH", "lwf or ebll: keep what earlier tasks' heads answer on the new data");
  auto& distill = t.distill;
  add("--temperature", distill.temperature, "N", "of these answers' softmax")->check(positive)->capture_default_str();
  add("--distill-weight", distill.weight, "N", "of their term")->check(not_negative)->capture_default_str();
  add("--code-weight", distill.code_weight, "N", "of ebll's codes of features")
      ->check(not_negative)
      ->capture_default_str();
  add("--code", task.code, "N", "of the code by which ebll can keep this task later [0; with ebll the last one's]")
      ->check(whole(0, kMostOfTraining));
  add("--track", o.track, "si", "record the path of training as the task's importance (Synaptic Intelligence)");
  add("--xi", t.xi, "N", "damping of --track si")->check(positive)->capture_default_str();
  add("--validation", t.validation, "SHARE", "of the samples, held out")
      ->check(between(0, 0.99))
      ->capture_default_str();
  add("--patience", t.patience, "N", "stop after N epochs without a better validation; 0: never")
      ->check(whole(0, kMostOfTraining))
      ->capture_default_str();
  add("--seed", task.seed, "N", "of weights, order and split")->check(whole(0, UINT64_MAX))->capture_default_str();
  app.add_option("--merge", o.merge.rule, "mean or mode of the MODELs after each task of a chain; nothing is trained")
      ->type_name("RULE");
  app.add_option("--merge-weights", o.merge.weights, "of the models [equal]")->type_name("LIST");
  app.add_option("--checkpoint", o.checkpoint, "write the state there after each epoch")->type_name("FILE");
  app.add_option("--resume", task.resume, "go on from a checkpoint, bit for bit")->type_name("FILE");
  app.add_flag("--no-results", o.no_results, "don't measure and record the accuracy on test data");
  add_common_options(app, o.common);
  app.footer(
      "Examples:\n"
      "  mas-train --arch mlp:400,400 --data glyphs,classes=0-4 --task first -o first.h5\n"
      "  mas-importance first.h5 | mas-train - --data glyphs,classes=5-9 --task second -o both.h5\n");
}

void check_training_usage(const CLI::App& app, const TrainingOptions& o) {
  if (o.models.size() > 1) throw UsageError(o.models[1], "unexpected argument; see mas-train --help");
  if (o.checkpoint == "-") throw UsageError("--checkpoint", "needs a file");
  const auto& task = o.task;
  if (same_file(o.checkpoint, task.model))
    throw UsageError("--checkpoint", "is the MODEL, which a training that breaks off would lose; name another file");
  if (task.model.empty() + task.arch.empty() + task.resume.empty() != 2) {
    throw UsageError("MODEL", fmt::format("give one of: a model file{}, --arch for a new network, --resume for a "
                                          "checkpoint",
                                          task.model.empty() ? "" : " (" + task.model + ")"));
  }
  if (task.resume.empty() && task.data.empty())
    throw UsageError("--data", "is required, e.g. --data glyphs,classes=0-4");
  for (const auto* option : o.of_training) {
    if (!task.resume.empty() && option->count() > 0) {
      throw UsageError(option->get_name(), "doesn't go with --resume: the checkpoint brings its own");
    }
  }
  if (!o.track.empty() && o.track != "si") throw UsageError("--track", "must be si, got " + o.track);
  check_needs(app, o);
}

}  // namespace mas::tool
