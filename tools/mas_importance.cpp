#include <fmt/format.h>

#include <set>

#include "common/model_output.h"
#include "common/print.h"
#include "common/progress.h"
#include "common/tool.h"
#include "mas/error.h"
#include "mas/importance/memory.h"
#include "mas/importance/methods.h"
#include "mas/importance/run.h"
#include "mas/text.h"

namespace {

struct Options {
  std::string model, batch = "128", memory;
  std::vector<std::string> data, merge;
  bool reset = false, forget = false, verbose = false;
  mas::ImportanceOptions importance;
  mas::tool::CommonOptions common;
  mas::tool::ModelOutput output;
  std::vector<CLI::Option*> of_feeding;     // which mean nothing where no data are fed
  std::vector<CLI::Option*> of_importance;  // or where all is forgotten
  CLI::Option *fisher = nullptr, *seed = nullptr;
};

void add_options(CLI::App& app, Options& o) {
  auto& i = o.importance;
  app.add_option("MODEL", o.model, "model file, or a TorchScript module (- for standard input)")->required();
  o.output.add_option(app);
  app.add_option("--data", o.data, "samples; labels are not read (those of the task learned last unless given)")
      ->type_name("SPEC")
      ->take_all()
      ->expected(1);
  auto* method =
      app.add_option("--method", i.method, "mas, local (Hebb's rule, by layer), ewc (Fisher information) or l2 (1)")
          ->type_name("NAME")
          ->capture_default_str();
  auto* estimator = app.add_option("--estimator", i.estimator, "per-sample (exact), or batch:N as published code does")
                        ->type_name("NAME")
                        ->capture_default_str();
  o.fisher = app.add_option("--fisher", i.fisher, "of ewc: exact, sampled, argmax, or empirical (reads labels)")
                 ->type_name("NAME")
                 ->capture_default_str();
  o.seed = app.add_option("--seed", i.seed, "of the classes that --fisher sampled draws")
               ->check(mas::tool::whole(0, UINT64_MAX))
               ->capture_default_str()
               ->type_name("N");
  app.add_option("--combine", i.combine,
                 "sum, ema:G, decay:G, normalised or anchors [the model's rule; ewc anchors, else sum]")
      ->type_name("NAME")
      ->capture_default_str();
  auto* outputs = app.add_option("--outputs", i.outputs, "head: of the running task; all: of every head")
                      ->check(mas::tool::one_of({"head", "all"}))
                      ->capture_default_str()
                      ->type_name("WHICH");
  app.add_option("--return", i.returned, "take this one of the values that a TorchScript module returns")
      ->type_name("N|NAME");
  const auto count = mas::tool::whole(1, 1000000000000);
  auto* limit = app.add_option("--limit", i.limit, "feed at most N samples")->check(count)->type_name("N");
  auto* shard = app.add_option("--shard", i.shard, "feed only part I of N, e.g. 1/4; --merge adds the parts up")
                    ->type_name("I/N");
  auto* batch =
      app.add_option("--batch", o.batch, "samples a pass, or auto: what the memory holds; no matter to the result")
          ->capture_default_str()
          ->type_name("N");
  auto* memory =
      app.add_option("--memory", o.memory, "what may be used, e.g. 4G [no bound; a quarter of what is free for auto]")
          ->type_name("SIZE");
  app.add_option("--merge", o.merge, "add the importance of these files; no data are fed unless given")
      ->type_name("FILE...");
  app.add_flag("--reset", o.reset, "forget what was fed for the running task first");
  app.add_flag("--forget", o.forget, "forget all importance, that of finished tasks too, and feed nothing");
  app.add_flag("-v,--verbose", o.verbose, "how each parameter was computed, and why");
  o.of_feeding = {method, estimator, o.fisher, o.seed, outputs, limit, shard, batch, memory};
  o.of_importance = o.of_feeding;
  for (const char* name : {"--data", "--combine", "--return", "--merge", "--reset"})
    o.of_importance.push_back(app.get_option(name));
  mas::tool::add_common_options(app, o.common);
  app.footer(
      "Examples:\n"
      "  mas-importance first.h5 -o first-omega.h5\n"
      "  mas-importance first.h5 --data photos.h5 --limit 5000 | mas-export - --format npz -o omega.npz\n");
}

bool constant(const Options& o) {
  return mas::method_called(o.importance.method).origin == mas::ImportanceMethod::Origin::kConstant;
}

void print_report(const Options& o, const mas::ImportanceReport& report) {
  auto* out = o.output.report();
  if (o.verbose) {
    size_t width = 9;
    for (const auto& path : report.paths) width = std::max(width, path.parameter.size());
    mas::tool::print(out, "{:<{}}  {:<12}  why\n", "parameter", width, "path");
    for (const auto& path : report.paths) {
      const auto how = path.why.empty() ? path.path : fmt::format("{:<12}  {}", path.path, path.why);
      mas::tool::print(out, "{:<{}}  {}\n", path.parameter, width, how);
    }
  }
  if (o.common.quiet) return;
  for (const auto& note : report.notes) mas::tool::print(stderr, "mas-importance: {}\n", note);
  if (constant(o))
    return mas::tool::print(out, "omega 1 for all {}\n", report.notes.empty() ? "parameters" : "other parameters");
  if (!report.verbose_hint.empty() && !o.verbose) mas::tool::print(out, "{}\n", report.verbose_hint);
  if (report.fed > 0) mas::tool::print(out, "{} samples fed in {:.1f} s; ", report.fed, report.seconds);
  mas::tool::print(out, "{} samples in all, mean omega {:.3g}, largest {:.3g} ({})\n", report.count, report.mean,
                   report.largest, report.largest_parameter);
}

int forget(Options& o) {
  for (const auto* option : o.of_importance)
    if (option->count() > 0)
      throw mas::UsageError(option->get_name(), "has no meaning with --forget, which feeds nothing");
  o.output.check(o.model);
  mas::Model model(mas::read_model(o.model), o.model);
  mas::forget_importance(model);
  if (!o.common.quiet) mas::tool::print(o.output.report(), "all importance forgotten\n");
  o.output.write(model.file);
  return mas::tool::kDone;
}

int importance(Options& o) {
  if (o.forget) return forget(o);
  for (const auto* option : o.of_feeding) {
    if (option->count() == 0) continue;
    if (!o.merge.empty() && o.data.empty())
      throw mas::UsageError(option->get_name(), "has no meaning with --merge, which feeds no data; add --data");
    if (constant(o) && option->get_name() != "--method")
      throw mas::UsageError(option->get_name(),
                            "has no meaning with --method " + o.importance.method + ", which reads no data");
  }
  if (o.fisher->count() > 0 && mas::method_called(o.importance.method).measure != mas::Method::kFisher)
    throw mas::UsageError("--fisher", "is for --method ewc");
  if (o.seed->count() > 0 && o.importance.fisher != "sampled")
    throw mas::UsageError("--seed", "is for --fisher sampled");
  if (o.batch == "auto")
    o.importance.batch_size = 0;
  else if (!mas::parse_number(o.batch, o.importance.batch_size) || o.importance.batch_size < 1 ||
           std::to_string(o.importance.batch_size) != o.batch)
    throw mas::UsageError("--batch", "must be a whole number from 1, or auto, got " + o.batch);
  if (!o.memory.empty()) o.importance.memory = mas::parse_bytes(o.memory, "--memory");
  std::set<std::string> named{o.model};
  for (const auto& file : o.merge) {
    if (!named.insert(file).second) throw mas::UsageError("--merge", file + " is given twice, and would count twice");
  }
  o.output.check(o.model, o.data);
  o.importance.data = o.data;
  o.importance.open = o.common.open_options();
  mas::Model model = mas::open_model(o.model, o.importance);
  mas::tool::Progress progress(o.common, "importance");
  o.importance.progress = std::ref(progress);
  if (o.reset) mas::reset_importance(model);
  mas::ImportanceReport report;
  if (!o.merge.empty()) report = mas::merge_importance(model, o.merge, o.importance);
  if (o.merge.empty() || !o.data.empty()) report = mas::estimate_importance(model, o.importance);
  progress.clear();
  print_report(o, report);
  o.output.write(model.file);
  return mas::tool::kDone;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Estimate how much each parameter matters to what a network computes, without labels.",
               "mas-importance"};
  Options options;
  add_options(app, options);
  return mas::tool::run_tool(app, argc, argv, options.common, [&] { return importance(options); });
}
