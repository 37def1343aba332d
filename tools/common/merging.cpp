#include "common/merging.h"

#include "common/training_report.h"
#include "mas/error.h"

namespace mas::tool {
namespace {

const char* const kNoMeaning = "has no meaning with --merge, which trains nothing";

}  // namespace

int merge(TrainingOptions& o) {
  for (const auto* option : o.of_training) {
    if (option->count() > 0) throw UsageError(option->get_name(), kNoMeaning);
  }
  if (!o.checkpoint.empty() || !o.task.resume.empty())
    throw UsageError(o.checkpoint.empty() ? "--resume" : "--checkpoint", kNoMeaning);
  o.task.open = o.common.open_options();
  o.output.check(o.models.empty() ? "" : o.models.back());
  o.merge.models = o.models;
  Model model = merge_models(o.merge);
  if (!o.no_results) record_results(model, o);
  o.output.write(model.file);
  return kDone;
}

}  // namespace mas::tool
