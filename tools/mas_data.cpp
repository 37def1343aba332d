#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/model_output.h"
#include "common/print.h"
#include "common/progress.h"
#include "common/tool.h"
#include "mas/data/contact_sheet.h"
#include "mas/data/describe.h"
#include "mas/data/export_data.h"
#include "mas/data/remarks.h"
#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/io/bytes.h"

namespace {

struct Options {
  std::string spec, output, sheet;
  int64_t columns = 10;
  bool json = false;
  mas::tool::CommonOptions common;
};

void add_options(CLI::App& app, Options& o) {
  app.add_option("SPEC", o.spec, "a path or name with keys, e.g. mnist,classes=0-4 (see mas(7))")->required();
  app.add_option("-o,--output", o.output, "write the samples: FILE.h5, FILE.csv, or FOLDER/ for train.h5 and test.h5")
      ->type_name("FILE");
  app.add_option("--sheet", o.sheet, "draw the first samples of each class")->type_name("FILE.png");
  app.add_option("--columns", o.columns, "samples a class on the sheet")
      ->check(mas::tool::whole(1, 1000))
      ->capture_default_str()
      ->type_name("N");
  app.add_flag("--json", o.json, "print the description as one JSON object (schema mas-data/1)");
  mas::tool::add_common_options(app, o.common);
  app.footer(
      "Examples:\n"
      "  mas-data glyphs --sheet glyphs.png\n"
      "  mas-data glyphs,classes=0-4,samples=2000 -o digits.h5\n");
}

nlohmann::json to_json(const std::string& spec, const mas::DataDescription& d) {
  auto classes = nlohmann::json::array();
  for (const auto& c : d.classes) {
    classes.push_back({{"label", c.label}, {"samples", c.samples}});
    if (!c.name.empty()) classes.back()["name"] = c.name;
  }
  nlohmann::json object = {{"schema", "mas-data/1"},
                           {"spec", spec},
                           {"samples", d.samples},
                           {"shape", d.shape},
                           {"classes", classes},
                           {"mean", d.mean},
                           {"deviation", d.deviation},
                           {"min", d.min},
                           {"max", d.max},
                           {"channel_mean", d.channel_mean},
                           {"channel_deviation", d.channel_deviation},
                           {"not_finite", d.not_finite},
                           {"first_labels", d.first_labels}};
  if (d.word_values > 0) object["word_values"] = d.word_values;
  return object;
}

void print(const mas::DataDescription& d) {
  const char* type = d.type == at::kByte ? "bytes, as 0..1" : d.type == at::kLong ? "token ids" : "floats";
  mas::tool::print(stdout, "samples       {}\nshape         {} ({})\n", d.samples, fmt::join(d.shape, "x"), type);
  mas::tool::print(stdout, "values        mean {:.5g}, deviation {:.5g}, from {:.5g} to {:.5g}\n", d.mean, d.deviation,
                   d.min, d.max);
  if (d.channel_mean.size() > 1) {
    mas::tool::print(stdout, "channels      mean {:.5g}; deviation {:.5g}\n", fmt::join(d.channel_mean, ", "),
                     fmt::join(d.channel_deviation, ", "));
  }
  if (d.not_finite > 0) mas::tool::print(stdout, "not finite    {} values\n", d.not_finite);
  if (!d.has_labels) {
    mas::tool::print(stdout, "classes       no labels\n");
    return;
  }
  if (d.word_values > 0)
    mas::tool::print(stdout, "vectors       of subject, predicate and object, {} values each\n", d.word_values);
  mas::tool::print(stdout, "classes       {}\n", d.classes.size());
  for (const auto& c : d.classes)
    mas::tool::print(stdout, "  {:<11} {}{}{}\n", c.label, c.samples, c.name.empty() ? "" : "  ", c.name);
  mas::tool::print(stdout, "first labels  {}\n", fmt::join(d.first_labels, " "));
}

void write(mas::Dataset& data, const std::string& path, mas::tool::Progress& progress) {
  const auto report = std::ref(progress);
  mas::ends_with(path, ".csv") ? mas::export_csv(data, path, report) : mas::export_hdf5(data, path, report);
  progress.clear();
}

// A folder with a part each, which is a data set with both parts in turn.
void write_folder(const Options& o, mas::DataSpec spec, mas::tool::Progress& progress) {
  if (spec.split != mas::Split::kAll && !spec.fraction) {
    throw mas::UsageError("split",
                          "doesn't go with a folder as output, which gets both parts; split=0.8 cuts a set in two");
  }
  std::vector<std::pair<std::string, std::unique_ptr<mas::Dataset>>> parts;
  for (const auto& [part, name] :
       {std::pair{mas::Split::kTrain, "train.h5"}, std::pair{mas::Split::kTest, "test.h5"}}) {
    spec.split = part;
    std::error_code none;
    if (std::filesystem::is_directory(o.output, none)) mas::tool::check_other_output(o.output + "/" + name);
    parts.emplace_back(o.output + "/" + name, mas::open_dataset(spec, o.common.open_options()));
  }
  std::filesystem::create_directories(o.output);
  for (auto& [path, data] : parts) write(*data, path, progress);
}

int run(const Options& o) {
  const auto spec = mas::DataSpec::parse(o.spec);
  std::error_code none;
  const bool folder = mas::ends_with(o.output, "/") || std::filesystem::is_directory(o.output, none);
  if (!o.output.empty() && !folder && !mas::ends_with(o.output, ".h5") && !mas::ends_with(o.output, ".hdf5") &&
      !mas::ends_with(o.output, ".csv")) {
    throw mas::UsageError("--output", fmt::format("must end in .h5, .csv or / (a folder), got {}", o.output));
  }
  if (!o.output.empty() && !folder) mas::tool::check_other_output(o.output);
  if (!o.sheet.empty()) mas::tool::check_drawing_output(o.sheet);
  if (o.sheet == "-" && isatty(STDOUT_FILENO)) {
    throw mas::UsageError("standard output", "is a terminal, and PNG isn't text; use --sheet FILE.png or a pipe");
  }
  std::vector<std::string> outputs{o.output, o.sheet};
  if (folder) outputs.insert(outputs.end(), {o.output + "/train.h5", o.output + "/test.h5"});
  for (const auto& output : outputs) {
    if (output.empty() || output == "-") continue;
    mas::tool::check_apart_from_caches(output, {o.spec});
    mas::check_apart_from_data(output, spec, o.common.open_options());
  }
  const auto data = mas::open_dataset(spec, o.common.open_options());
  for (const auto& output : outputs)
    if (data->is_stored_in(output)) throw mas::Error(output, "is one of the pictures that are read; name another file");
  mas::tool::Progress progress(o.common, "reading");
  const std::string sheet = o.sheet.empty() ? "" : mas::contact_sheet(*data, o.columns);  // it may refuse the data
  if (folder)
    write_folder(o, spec, progress);
  else if (!o.output.empty())
    write(*data, o.output, progress);
  if (!o.sheet.empty()) mas::write_output(o.sheet, sheet);
  if (o.common.quiet && !o.json) return mas::tool::kDone;
  const auto description = mas::describe(*data, std::ref(progress));
  progress.clear();
  if (!o.common.quiet)
    for (const auto& remark : mas::remarks_on(*data, o.spec)) mas::tool::print(stderr, "mas-data: {}\n", remark);
  if (o.json)
    mas::tool::print_json(stdout, to_json(spec.str(), description));
  else
    print(description);
  return mas::tool::kDone;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Describe, draw, convert and generate data sets.", "mas-data"};
  Options options;
  add_options(app, options);
  return mas::tool::run_tool(app, argc, argv, options.common, [&] { return run(options); });
}
