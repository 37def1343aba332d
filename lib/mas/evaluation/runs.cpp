#include "mas/evaluation/runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <regex>

#include "mas/error.h"
#include "mas/fingerprint.h"
#include "mas/line.h"
#include "mas/text.h"
#include "mas/training/checkpoint.h"

namespace mas {
namespace {

// The 97.5 % quantile of Student's t. Beyond the table, the first terms of Cornish and Fisher's expansion.
double student(size_t degrees) {
  static const double table[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
                                 2.2010,  2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
                                 2.0796,  2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423};
  if (degrees <= std::size(table)) return table[degrees - 1];
  const auto n = static_cast<double>(degrees);
  return 1.959964 + 2.37227 / n + 2.82249 / (n * n);
}

const std::regex& seeds_in_spec() {
  static const std::regex seeds("(^|,)(seed|permute)=([0-9]+)");
  return seeds;
}

// A spec without seeds, and without where pictures are kept decoded.
std::string without_seeds(const std::string& spec) {
  static const std::regex cache(",cache=([^,\\\\]|\\\\.)*");
  return std::regex_replace(std::regex_replace(spec, seeds_in_spec(), "$1$2="), cache, "");
}

// What tells a run from the others of its group.
std::string seeds_of(const Model& model) {
  std::string seeds;
  for (const auto& task : model.tasks()) {
    seeds += fmt::format("{}", task.seed);
    for (std::sregex_iterator it(task.data.begin(), task.data.end(), seeds_in_spec()), end; it != end; ++it)
      seeds += fmt::format(",{}={}", (*it)[2].str(), (*it)[3].str());
    seeds += ';';
  }
  return seeds;
}

// What the runs of a group have in common.
std::string key_of(const Model& model) {
  auto tasks = nlohmann::json::array();
  for (const auto& task : model.tasks()) {
    auto record = to_json(task);
    record.erase("seed");
    record.erase("identity");
    record.erase("words");  // a generator's vectors are its seed's
    record["data"] = without_seeds(task.data);
    if (task.scenario == Scenario::kFacts) record.erase("classes");  // which facts those are may be up to the seed
    tasks.push_back(std::move(record));
  }
  Fingerprint script;  // whose bytes hold its first weights
  script.add(model.file.script.data(), model.file.script.size());
  const auto& importance = model.file.importance;
  return nlohmann::json{model.file.arch,    script.text(),        tasks,
                        importance.method,  importance.estimator, importance.outputs,
                        importance.combine, importance.count,     importance.closed_tasks}
      .dump();
}

std::vector<double> known(const std::vector<std::optional<double>>& values) {
  std::vector<double> all;
  for (const auto& value : values)
    if (value) all.push_back(*value);
  return all;
}

// Values of a run, a task each, to those of the runs before.
void add_by_task(std::vector<std::vector<std::optional<double>>>& all, const std::vector<std::optional<double>>& run) {
  all.resize(run.size());
  for (size_t task = 0; task < run.size(); task++) all[task].push_back(run[task]);
}

nlohmann::json to_json(const std::vector<std::optional<double>>& values) {
  const auto s = statistic(values);
  if (!s) return nullptr;
  nlohmann::json object{{"n", s->n},      {"mean", s->mean}, {"deviation", nullptr},
                        {"low", nullptr}, {"high", nullptr}, {"values", to_values(values)}};
  if (s->deviation) object.update({{"deviation", *s->deviation}, {"low", *s->low}, {"high", *s->high}});
  return object;
}

}  // namespace

std::optional<Statistic> statistic(const std::vector<std::optional<double>>& all) {
  const auto values = known(all);
  if (values.empty()) return {};
  const auto n = static_cast<double>(values.size());
  Statistic s;
  s.n = static_cast<int64_t>(values.size());
  s.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (values.size() < 2) return s;
  double squares = 0;
  for (const double value : values) squares += (value - s.mean) * (value - s.mean);
  s.deviation = std::sqrt(squares / (n - 1));
  const double half = student(values.size() - 1) * *s.deviation / std::sqrt(n);
  s.low = s.mean - half;
  s.high = s.mean + half;
  return s;
}

std::vector<std::optional<double>> difference(const RunGroup& group, const RunGroup& reference,
                                              const std::string& measure) {
  const auto &values = group.measures.at(measure), &others = reference.measures.at(measure);
  std::vector<std::optional<double>> all(values.size());
  if (group.measure != reference.measure) return all;
  for (size_t i = 0; i < values.size(); i++) {
    const auto partner = std::find(reference.all_seeds.begin(), reference.all_seeds.end(), group.all_seeds[i]);
    if (partner == reference.all_seeds.end()) continue;
    const auto& other = others[partner - reference.all_seeds.begin()];
    if (values[i] && other) all[i] = *values[i] - *other;
  }
  return all;
}

void Runs::add(const Model& model, const AccuracyMatrix& matrix) {
  if (has_state(model.file)) throw Error(model.name(), "is a checkpoint, and no run ends with one; --resume it first");
  const Measures m = measure(matrix);
  if (!m.acc) throw Error(model.name(), "has no accuracy on one of its tasks; --runs takes the last model of each run");
  const std::string key = key_of(model);
  const auto found = std::find(keys_.begin(), keys_.end(), key);
  const auto at = static_cast<size_t>(found - keys_.begin());
  if (found == keys_.end()) {
    keys_.push_back(key);
    groups_.emplace_back();
    groups_.back().tasks = matrix.tasks;
    groups_.back().measure = matrix.measure;
  }
  RunGroup& group = groups_[at];
  const std::string seeds = seeds_of(model);
  const auto twin = std::find(group.all_seeds.begin(), group.all_seeds.end(), seeds);
  if (twin != group.all_seeds.end()) {
    throw Error(model.name(), fmt::format("has the same seeds as {}, so it is no other run; give it once",
                                          group.models[twin - group.all_seeds.begin()]));
  }
  group.all_seeds.push_back(seeds);
  group.models.push_back(model.name());
  group.seeds.push_back(model.tasks().front().seed);
  group.measures["acc"].push_back(m.acc);
  group.measures["bwt"].push_back(m.bwt);
  group.measures["fwt"].push_back(m.fwt);
  group.measures["forgetting"].push_back(m.forgetting);
  group.measures["mean_drop"].push_back(m.mean_drop);
  add_by_task(group.task_measures["accuracy"], matrix.accuracy.back());
  add_by_task(group.task_measures["drop"], m.drop);
}

const std::vector<std::string>& run_measures() {
  static const std::vector<std::string> names{"acc", "bwt", "fwt", "forgetting", "mean_drop"};
  return names;
}

nlohmann::json to_json(const Runs& runs) {
  auto groups = nlohmann::json::array();
  for (const auto& group : runs.groups()) {
    nlohmann::json object{
        {"models", group.models}, {"seeds", group.seeds}, {"tasks", group.tasks}, {"measure", group.measure}};
    auto differences = nlohmann::json::object();
    for (const auto& [name, values] : group.measures) {
      object[name] = to_json(values);
      differences[name] = to_json(difference(group, runs.groups().front(), name));
    }
    for (const auto& [name, by_task] : group.task_measures) {
      object[name] = nlohmann::json::array();
      for (const auto& values : by_task) object[name].push_back(to_json(values));
    }
    if (&group != &runs.groups().front()) object["difference"] = differences;
    groups.push_back(std::move(object));
  }
  return {{"schema", "mas-eval-runs/1"}, {"groups", groups}, {"definitions", measure_definitions()}};
}

std::string to_csv(const Runs& runs) {
  std::string csv = "group,model,seed";
  for (const auto& name : run_measures()) csv += "," + name;
  csv += '\n';
  int64_t number = 0;
  for (const auto& group : runs.groups()) {
    number++;
    for (size_t i = 0; i < group.models.size(); i++) {
      csv += fmt::format("{},{},{}", number, csv_field(group.models[i]), group.seeds[i]);
      for (const auto& name : run_measures()) {
        const auto& value = group.measures.at(name)[i];
        csv += "," + (value ? fixed(*value, 6) : "");
      }
      csv += '\n';
    }
  }
  return csv;
}

}  // namespace mas
