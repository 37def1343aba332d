#include <utility>

#include "common/merging.h"
#include "common/progress.h"
#include "common/training_report.h"
#include "mas/evaluation/record.h"

namespace {

int train(const CLI::App& app, mas::tool::TrainingOptions& o) {
  if (!o.models.empty()) o.task.model = o.models.front();
  mas::tool::check_training_usage(app, o);
  o.task.train.optimizer.kind = mas::parse_optimizer(o.optimizer);
  if (app.count("--penalty-step") > 0) o.task.penalty_step = mas::parse_penalty_step(o.penalty_step);
  if (!o.augment.empty()) o.task.train.augment = mas::Augmentation::parse(o.augment);
  for (const auto& text : o.lr_factors) mas::add_lr_factor(o.task.train.layers, text);
  o.task.train.track_si = !o.track.empty();
  if (!o.distill.empty()) o.task.train.distill.kind = mas::parse_distill(o.distill);
  o.task.open = o.common.open_options();
  o.output.check(o.task.model, o.task.data);
  mas::tool::check_apart_from_caches(o.checkpoint, o.task.data);
  if (!o.checkpoint.empty())
    mas::tool::check_model_output(o.checkpoint);
  else if (mas::tool::can_be_rewritten(o.task.resume))
    o.checkpoint = o.task.resume;  // what is interrupted again goes on from there
  auto [model, data, options, remarks] = mas::prepare_training(o.task);
  if (!o.no_results && o.task.resume.empty()) {
    for (auto& remark : mas::check_test_data(model, options.joint, o.task.open)) remarks.push_back(std::move(remark));
    if (options.joint == 1) mas::record_transfer(model, o.task.open);
  }
  mas::tool::Progress progress(o.common, "training " + model.tasks().back().name);
  mas::train(model, *data, options, o.checkpoint,
             mas::tool::training_reports(o, progress, std::move(remarks), options, model.tasks().back().scenario));
  progress.clear();
  if (!o.no_results) mas::tool::record_results(model, o);
  o.output.write(model.file);
  return mas::tool::kDone;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Train a network on a task; with importance in the model, without forgetting the tasks before.",
               "mas-train"};
  mas::tool::TrainingOptions options;
  mas::tool::add_training_options(app, options);
  return mas::tool::run_tool(app, argc, argv, options.common, [&] {
    return app.count("--merge") > 0 ? mas::tool::merge(options) : train(app, options);
  });
}
