#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "common/model_output.h"
#include "common/table.h"
#include "common/tool.h"
#include "mas/error.h"
#include "mas/export/formats.h"
#include "mas/importance/importance.h"
#include "mas/importance/methods.h"
#include "mas/io/atomic_file.h"
#include "mas/line.h"
#include "mas/model/model.h"

namespace {

struct Options {
  std::string model, output, format, what, task;
  mas::tool::CommonOptions common;
};

void add_options(CLI::App& app, Options& o) {
  std::vector<std::string> formats;
  for (const auto& entry : mas::export_formats()) formats.push_back(entry.first);
  app.add_option("MODEL", o.model, "model file (- for standard input)")->required();
  app.add_option("-o,--output", o.output, "file to write (standard output unless given)")->type_name("FILE");
  app.add_option("--format", o.format, fmt::format("{} [as FILE ends, or a table of layers]", fmt::join(formats, ", ")))
      ->check(mas::tool::one_of(formats))
      ->type_name("FORMAT");
  app.add_option("--what", o.what, "weights, importance or both (both where the model has importance)")
      ->check(mas::tool::one_of({"weights", "importance", "both"}))
      ->type_name("WHAT");
  app.add_option("--task", o.task, "of torchscript: whose outputs [the task learned last]")->type_name("NAME");
  mas::tool::add_common_options(app, o.common, false);
  app.footer(
      "Examples:\n"
      "  mas-export both.h5\n"
      "  mas-export both.h5 --format npz --what importance -o omega.npz\n"
      "  mas-export both.h5 --task first -o first.pt\n");
}

// Weights of the trunk, and each head under heads/TASK/.
mas::NamedTensors all_weights(const mas::ModelFile& file) {
  mas::NamedTensors weights = file.weights;
  for (const auto& [task, head] : file.heads) {
    for (const auto& [local, value] : head) weights[fmt::format("heads/{}/{}", task, local)] = value;
  }
  return weights;
}

std::string render_table(const mas::ModelFile& file) {
  const auto omega = mas::total_importance(file.importance);
  mas::tool::Table table;
  table.add({"parameter", "shape", "parameters", "mean omega", "max omega", "total omega", "zero, %"});
  int64_t count = 0;
  for (const auto& [name, weight] : all_weights(file)) {
    count += weight.numel();
    std::vector<std::string> row{name, fmt::format("{}", fmt::join(weight.sizes(), "x")),
                                 std::to_string(weight.numel())};
    const auto it = omega.find(name);
    if (it != omega.end() && weight.numel() > 0) {
      const auto values = it->second.to(at::kDouble);
      row.push_back(fmt::format("{:.3g}", values.mean().item<double>()));
      row.push_back(fmt::format("{:.3g}", values.max().item<double>()));
      row.push_back(fmt::format("{:.3g}", values.sum().item<double>()));
      row.push_back(fmt::format("{:.1f}", 100 * values.eq(0).to(at::kDouble).mean().item<double>()));
    } else {
      row.insert(row.end(), 4, "-");
    }
    table.add(row);
  }
  std::string text = table.render();
  const auto& importance = file.importance;
  text +=
      fmt::format("\n{} parameters, {} task{} learned", count, file.tasks.size(), file.tasks.size() == 1 ? "" : "s");
  if (!importance.empty()) {
    const bool sampled = mas::method_called(importance.method).origin == mas::ImportanceMethod::Origin::kSamples;
    text += mas::harmless_line(fmt::format(
        "; importance: method {}, estimator {}, {} after task {}, earlier tasks in it {}, combine {}",
        importance.method, importance.estimator, sampled ? fmt::format("{} samples fed", importance.count) : "made",
        importance.tasks, importance.closed_tasks, importance.combine));
  }
  return text + "\n";
}

// The format that the output's name ends with; empty: the table.
std::string format_of(const std::string& output) {
  const std::string ending = std::filesystem::path(output).extension();
  std::vector<std::string> endings;
  for (const auto& [name, format] : mas::export_formats()) {
    if (ending == format.ending) return name;
    endings.push_back(format.ending);
  }
  if (ending.empty() || ending == ".txt") return "";
  throw mas::UsageError("--output", fmt::format("{} ends like none of the formats ({}); name one with --format, or end "
                                                "it in .txt for the table",
                                                output, fmt::join(endings, ", ")));
}

void check_usage(const Options& o, const std::string& output) {
  if (o.format.empty() && !o.what.empty()) throw mas::UsageError("--what", "needs --format");
  const bool network = !o.format.empty() && mas::export_formats().at(o.format).network;
  if (network && !o.what.empty()) throw mas::UsageError("--what", "doesn't go with " + o.format + ", a whole network");
  if (!network && !o.task.empty()) throw mas::UsageError("--task", "is for --format torchscript");
  if (!o.format.empty() && !mas::export_formats().at(o.format).text && output == "-" && isatty(STDOUT_FILENO)) {
    throw mas::UsageError("standard output", "is a terminal, and " + o.format + " isn't text; use -o FILE or a pipe");
  }
}

int run(Options& o) {
  const std::string output = o.output.empty() ? "-" : o.output;
  if (o.format.empty()) o.format = format_of(output);
  check_usage(o, output);
  mas::tool::check_other_output(output);
  const mas::Model model(mas::read_model(o.model), o.model);
  mas::check_combinable(model.file.importance, model.shared_parameters(), model.name());
  if (o.format.empty()) {
    mas::write_output(output, render_table(model.file));
    return mas::tool::kDone;
  }
  mas::ExportContent content{model, {}, {}, o.what.empty() || o.what == "both", o.task};
  if (o.what != "importance") content.weights = all_weights(model.file);
  if (o.what != "weights") content.importance = mas::total_importance(model.file.importance);
  if (!o.what.empty() && o.what != "weights" && content.importance.empty()) {
    throw mas::Error(o.model, "has no importance to export; compute it with mas-importance");
  }
  mas::write_output(output, mas::export_formats().at(o.format).write(content));
  return mas::tool::kDone;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Show a model's layers, or hand its weights and importance to other programs.", "mas-export"};
  Options options;
  add_options(app, options);
  return mas::tool::run_tool(app, argc, argv, options.common, [&] { return run(options); });
}
