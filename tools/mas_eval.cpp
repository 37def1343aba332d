#include <fmt/format.h>
#include <unistd.h>

#include "common/model_output.h"
#include "common/print.h"
#include "common/progress.h"
#include "common/table.h"
#include "common/tool.h"
#include "mas/error.h"
#include "mas/evaluation/evaluate.h"
#include "mas/training/checkpoint.h"

namespace {

struct Options {
  std::vector<std::string> models;
  std::string data, record;
  bool json = false, csv = false;
  std::optional<double> min_accuracy;
  mas::tool::CommonOptions common;
};

void add_options(CLI::App& app, Options& o) {
  app.add_option("MODEL", o.models, "model files, in the order of learning (- for standard input)")->required();
  auto* data =
      app.add_option("--data", o.data, "labelled data for one column, in place of the recorded tasks' test data")
          ->type_name("SPEC");
  auto* json = app.add_flag("--json", o.json, "print one JSON object (schema mas-eval/1)");
  app.add_flag("--csv", o.csv, "print the matrix as CSV")->excludes(json);
  app.add_option("--min-accuracy", o.min_accuracy, "exit with 3 where ACC is below this fraction")
      ->check(mas::tool::between(0, 1.0))
      ->type_name("P");
  app.add_option("--record", o.record, "write the last model with this evaluation recorded to FILE")
      ->type_name("FILE")
      ->excludes(data);
  mas::tool::add_common_options(app, o.common);
  app.footer(
      "Examples:\n"
      "  mas-eval both.h5\n"
      "  mas-eval first.h5 both.h5 --json | jq .forgetting\n");
}

std::string percent(const std::optional<double>& value, bool sign = false) {
  if (!value) return "-";
  return sign ? fmt::format("{:+.2f}", 100 * *value) : fmt::format("{:.2f}", 100 * *value);
}

void print_matrix(std::FILE* out, const mas::AccuracyMatrix& matrix, const mas::Measures& measures) {
  mas::tool::Table table;
  std::vector<std::string> header{"accuracy, %"};
  header.insert(header.end(), matrix.tasks.begin(), matrix.tasks.end());
  table.add(header);
  for (size_t i = 0; i < matrix.models.size(); i++) {
    std::vector<std::string> cells{matrix.models[i]};
    for (const auto& cell : matrix.accuracy[i]) cells.push_back(percent(cell));
    table.add(cells);
  }
  std::vector<std::string> drops{"drop"};
  bool any = false;
  for (const auto& drop : measures.drop) {
    drops.push_back(percent(drop));
    any = any || drop;
  }
  if (any && matrix.tasks.size() > 1) table.add(drops);
  table.print(out);
  const auto& definitions = mas::measure_definitions();
  const auto line = [&](const char* name, const char* key, const std::optional<double>& value, bool sign) {
    if (value) mas::tool::print(out, "{:<10} {:>7} %   {}\n", name, percent(value, sign), definitions.at(key));
  };
  mas::tool::print(out, "\n");
  line("ACC", "acc", measures.acc, false);
  line("BWT", "bwt", measures.bwt, true);
  line("FWT", "fwt", measures.fwt, true);
  line("forgetting", "forgetting", measures.forgetting, false);
  line("mean drop", "mean_drop", measures.mean_drop, false);
}

int evaluate(Options& o) {
  if (o.record == "/dev/stdout") o.record = "-";  // the matrix makes room for the model there
  if (!o.record.empty()) mas::tool::check_model_output(o.record, o.models.back());
  if (o.record == "-" && isatty(STDOUT_FILENO)) {
    throw mas::UsageError("standard output", "is a terminal, and a model isn't text; use --record FILE or a pipe");
  }
  auto models = mas::open_models(o.models);
  for (const auto& model : models)
    if (mas::has_state(model.file))
      mas::tool::print(stderr, "mas-eval: {}: is a checkpoint, not a trained model\n", model.name());
  mas::tool::Progress progress(o.common, "measuring");
  const auto bar = [&](int64_t done, int64_t total) { progress(done, total); };
  const auto matrix = o.data.empty() ? mas::evaluate_tasks(models, o.common.open_options(), bar)
                                     : mas::evaluate_data(models, o.data, o.common.open_options(), bar);
  progress.clear();
  for (const auto& note : matrix.notes) mas::tool::print(stderr, "mas-eval: {}\n", note);
  const auto measures = mas::measure(matrix);
  auto* out = o.record == "-" ? stderr : stdout;
  if (o.json) {
    mas::tool::print_json(out, mas::to_json(matrix, measures));
  } else if (o.csv) {
    mas::tool::print_text(out, mas::to_csv(matrix));
  } else if (!o.common.quiet) {
    print_matrix(out, matrix, measures);
  }
  if (!o.record.empty()) {
    mas::record_matrix(models.back().file, matrix);
    mas::write_model(models.back().file, o.record);
  }
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
