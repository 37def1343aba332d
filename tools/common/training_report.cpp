#include "common/training_report.h"

#include <fmt/format.h>

#include <utility>

#include "common/print.h"
#include "mas/evaluation/record.h"

namespace mas::tool {

TrainCallbacks training_reports(const TrainingOptions& o, Progress& progress, std::vector<std::string> remarks,
                                const TrainOptions& options, Scenario scenario) {
  // Of facts it is no mean average precision: that is for all pictures of a set.
  const char* const right = scenario == Scenario::kFacts ? "nearest fact" : "accuracy";
  TrainCallbacks callbacks;
  if (o.common.quiet) remarks.clear();
  callbacks.progress = [&progress, remarks](int64_t done, int64_t total) mutable {
    for (const auto& remark : std::exchange(remarks, {})) print(stderr, "mas-train: {}\n", remark);
    progress(done, total);
  };
  callbacks.epoch = [&o, &progress, &options, right](const EpochReport& r) {
    if (o.common.quiet) return;
    progress.clear();
    std::string line = fmt::format("epoch {}/{}  loss {:.4f}", r.epoch, r.epochs, r.loss);
    if (options.lambda > 0) line += fmt::format("  penalty {:.4f}", r.penalty);
    if (options.distill.active()) line += fmt::format("  distill {:.4f}", r.distill);
    line += fmt::format("  {} {:.2f} %", right, 100 * r.accuracy);
    if (r.validation) line += fmt::format("  validation {:.2f} %", 100 * *r.validation);
    if (r.epoch <= options.warm_up) line += "  head alone";
    print(o.output.report(), "{}  {:.1f} s\n", line, r.seconds);
    flush(o.output.report());
  };
  callbacks.encoder = [&o, &progress](const EncoderReport& r) {
    if (o.common.quiet) return;
    progress.clear();
    print(o.output.report(), "code  error {:.4f}  accuracy {:.2f} %\n", r.error, 100 * r.accuracy);
  };
  return callbacks;
}

void record_results(Model& model, const TrainingOptions& o) {
  for (const auto& result : record_test_results(model, o.task.open)) {
    if (o.common.quiet) continue;
    if (result.accuracy) {
      const bool facts = model.tasks().back().scenario == Scenario::kFacts;
      print(o.output.report(), "{}: {:.2f} % {}\n", result.task, 100 * *result.accuracy,
            facts ? "mAP on the test samples" : "of the test samples");
    } else {
      print(o.output.report(), "{}: not tested: {}\n", result.task, result.why);
    }
  }
}

}  // namespace mas::tool
