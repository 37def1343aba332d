#include <fmt/format.h>
#include <unistd.h>

#include "common/accuracy_plot.h"
#include "common/evaluation_report.h"
#include "common/model_output.h"
#include "common/plot_output.h"
#include "common/print.h"
#include "common/progress.h"
#include "common/tool.h"
#include "mas/error.h"
#include "mas/evaluation/evaluate.h"
#include "mas/training/checkpoint.h"

namespace {

struct Options {
  std::vector<std::string> models;
  std::string data, among, record, joint, measure;
  bool json = false, csv = false, runs = false, importance = false;
  std::optional<double> min_accuracy;
  mas::tool::PlotOutput plot;
  mas::tool::CommonOptions common;
};

void add_options(CLI::App& app, Options& o) {
  app.add_option("MODEL", o.models, "model files, in the order of learning (- for standard input)")->required();
  auto* data =
      app.add_option("--data", o.data, "labelled data for one column, in place of the recorded tasks' test data")
          ->type_name("SPEC");
  auto* measure =
      app.add_option("--measure", o.measure, "accuracy, or map of facts: what the tasks have to be measured by")
          ->type_name("WHICH");
  app.add_option("--among", o.among, "of facts: the data whose pictures are searched, in place of those of --data")
      ->type_name("SPEC")
      ->needs(data);
  auto* json = app.add_flag("--json", o.json, "print one JSON object (schema mas-eval/1)");
  app.add_flag("--csv", o.csv, "print the matrix as CSV")->excludes(json);
  auto* min_accuracy = app.add_option("--min-accuracy", o.min_accuracy, "exit with 3 where ACC is below this fraction")
                           ->check(mas::tool::between(0, 1.0))
                           ->type_name("P");
  auto* record = app.add_option("--record", o.record, "write the last model with this evaluation recorded to FILE")
                     ->type_name("FILE")
                     ->excludes(data);
  auto* joint = app.add_option("--joint", o.joint, "a model that learned all tasks at once, for intransigence")
                    ->type_name("MODEL")
                    ->excludes(data);
  auto* plot = o.plot.add_option(app, "draw each task's accuracy along the sequence: FILE.svg or FILE.png, by gnuplot");
  plot->excludes(data);
  auto* runs = app.add_flag("--runs", o.runs,
                            "each MODEL is the last of a run; those that differ in their seeds alone are averaged");
  auto* importance = app.add_flag("--importance", o.importance,
                                  "compare the importance in the first MODEL with that in each other; reads no data");
  for (auto* alone : {runs, importance})
    alone->excludes(data)->excludes(joint)->excludes(min_accuracy)->excludes(record)->excludes(plot);
  importance->excludes(runs);
  measure->excludes(importance);
  mas::tool::add_common_options(app, o.common);
  app.footer(
      "Examples:\n"
      "  mas-eval both.h5\n"
      "  mas-eval first.h5 both.h5 --json | jq .forgetting\n"
      "  mas-eval --runs seed-1.h5 seed-2.h5 seed-3.h5\n");
}

// Prints a result, and what was derived from it, as JSON, CSV or, unless told to be quiet, for people.
template <typename Result, typename... Derived>
void report(const Options& o, std::FILE* out, const Result& result, const Derived&... derived) {
  if (o.json) {
    mas::tool::print_json(out, mas::to_json(result, derived...));
  } else if (o.csv) {
    mas::tool::print_text(out, mas::to_csv(result));
  } else if (!o.common.quiet) {
    mas::tool::print_result(out, result, derived...);
  }
}

// It can be measured, but its training isn't at its end.
void remark_checkpoint(const mas::Model& model) {
  if (mas::has_state(model.file))
    mas::tool::print(stderr, "mas-eval: {}: is a checkpoint, not a trained model\n", model.name());
}

std::optional<mas::Model> open_joint(const std::string& path, const std::vector<mas::TaskRecord>& tasks) {
  if (path.empty()) return {};
  mas::Model joint = std::move(mas::open_models({path}).front());
  mas::check_joint(joint, tasks);
  return joint;
}

void check_measure(const std::string& measure, mas::Scenario scenario) {
  const bool facts = scenario == mas::Scenario::kFacts;
  if (measure == "map" && !facts)
    throw mas::UsageError("--measure", "map is for facts, and these tasks are of classes");
  if (measure == "accuracy" && facts) throw mas::UsageError("--measure", "facts are measured by map; leave it out");
}

// Each model is the end of a run of its own; one is in memory at a time.
int compare_runs(const Options& o) {
  mas::Runs runs;
  mas::tool::Progress progress(o.common, "measuring");
  for (size_t i = 0; i < o.models.size(); i++) {
    auto models = mas::open_models({o.models[i]});
    check_measure(o.measure, models.front().tasks().front().scenario);
    const auto matrix = mas::evaluate_tasks(models, o.common.open_options());
    for (const auto& note : matrix.notes) {
      progress.clear();
      mas::tool::print(stderr, "mas-eval: {}: {}\n", o.models[i], note);
    }
    runs.add(models.front(), matrix);
    progress(static_cast<int64_t>(i) + 1, static_cast<int64_t>(o.models.size()));
  }
  progress.clear();
  report(o, stdout, runs);
  return mas::tool::kDone;
}

int compare_importance(const Options& o) {
  if (o.models.size() < 2)
    throw mas::UsageError("--importance", "needs two models or more, to compare the others with the first");
  const mas::Model model(mas::read_model(o.models[0]), o.models[0]);
  mas::AgreementTable table{model.name(), {}};
  for (size_t i = 1; i < o.models.size(); i++) {
    const mas::Model other(mas::read_model(o.models[i]), o.models[i]);
    table.others.emplace_back(other.name(), mas::compare_importance(model, other));
  }
  report(o, stdout, table);
  return mas::tool::kDone;
}

void check_plot(const Options& o) {
  o.plot.check();
  o.plot.check_apart(o.models, "is what is read");
  o.plot.check_apart({o.joint}, "is what is read");
  o.plot.check_apart({o.record}, "is what --record writes");
}

int evaluate(Options& o) {
  if (o.measure == "mAP") o.measure = "map";  // as it is printed
  if (!o.measure.empty() && o.measure != "accuracy" && o.measure != "map")
    throw mas::UsageError("--measure", "must be accuracy or map, got " + o.measure);
  if (o.runs) return compare_runs(o);
  if (o.importance) return compare_importance(o);
  if (o.record == "/dev/stdout") o.record = "-";  // the matrix makes room for the model there
  if (!o.record.empty()) mas::tool::check_model_output(o.record, o.models.back());
  if (o.record == "-" && isatty(STDOUT_FILENO)) {
    throw mas::UsageError("standard output", "is a terminal, and a model isn't text; use --record FILE or a pipe");
  }
  check_plot(o);
  auto models = mas::open_models(o.models);
  check_measure(o.measure, mas::all_tasks(models).front().scenario);
  auto joint = open_joint(o.joint, mas::all_tasks(models));
  for (const auto& model : models) remark_checkpoint(model);
  if (joint) remark_checkpoint(*joint);
  mas::tool::Progress progress(o.common, "measuring");
  const auto bar = [&](int64_t done, int64_t total) { progress(done, total); };
  auto matrix = o.data.empty() ? mas::evaluate_tasks(models, o.common.open_options(), bar)
                               : mas::evaluate_data(models, o.data, o.among, o.common.open_options(), bar);
  if (joint) mas::measure_joint(matrix, *joint, mas::all_tasks(models), o.common.open_options());
  progress.clear();
  for (const auto& note : matrix.notes) mas::tool::print(stderr, "mas-eval: {}\n", note);
  const auto measures = mas::measure(matrix);
  const auto picture = o.plot.draw(mas::tool::plot_commands(matrix));
  report(o, o.record == "-" ? stderr : stdout, matrix, measures);
  if (!o.record.empty()) {
    mas::record_matrix(models.back().file, matrix);
    mas::write_model(models.back().file, o.record);
  }
  o.plot.write(picture);
  if (!o.min_accuracy) return mas::tool::kDone;
  if (!measures.acc) throw mas::Error("--min-accuracy", "ACC can't be told: a task has no accuracy");
  return *measures.acc >= *o.min_accuracy ? mas::tool::kDone : mas::tool::kUnmet;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Measure what models know of each task, and what they forgot.", "mas-eval"};
  Options options;
  add_options(app, options);
  return mas::tool::run_tool(app, argc, argv, options.common, [&] { return evaluate(options); });
}
