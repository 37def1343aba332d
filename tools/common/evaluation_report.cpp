#include "common/evaluation_report.h"

#include <algorithm>

#include "common/print.h"
#include "common/table.h"
#include "mas/line.h"

namespace mas::tool {
namespace {

struct Line {
  const char *key, *name;
  bool sign;
};
constexpr Line kLines[] = {{"acc", "ACC", false},
                           {"bwt", "BWT", true},
                           {"fwt", "FWT", true},
                           {"forgetting", "forgetting", false},
                           {"mean_drop", "mean drop", false},
                           {"mean_intransigence", "intransigence", false}};

std::string percent(const std::optional<double>& value, bool sign = false) {
  if (!value) return "-";
  return fixed(100 * *value, 2, sign);
}

void add_row(Table& table, const char* name, const std::vector<std::optional<double>>& values) {
  std::vector<std::string> cells{name};
  for (const auto& value : values) cells.push_back(percent(value));
  const bool any = std::any_of(values.begin(), values.end(), [](const auto& value) { return value.has_value(); });
  if (any && values.size() > 1) table.add(cells);
}

std::string spread(const std::vector<std::optional<double>>& values, bool sign) {
  const auto s = statistic(values);
  if (!s) return "-";
  const bool all = s->n == static_cast<int64_t>(values.size());
  return percent(s->mean, sign) + (s->deviation ? fmt::format(" ± {:.2f}", 100 * *s->deviation) : "") +
         (all ? "" : fmt::format(" ({} of {})", s->n, values.size()));
}

std::string interval(const std::optional<Statistic>& s) {
  return s && s->low ? fmt::format("{} to {}", percent(s->low), percent(s->high)) : "-";
}

// A mean, and the interval around it where there is one.
std::string mean_and_interval(const std::optional<Statistic>& s) {
  if (!s) return "-";
  return percent(s->mean, true) +
         (s->low ? fmt::format(" ({} to {})", percent(s->low, true), percent(s->high, true)) : "");
}

std::string name_of(const RunGroup& group) { return group.models.front() + (group.models.size() > 1 ? " ..." : ""); }

// Each task at the end, a table for groups that learned the same tasks one behind the other.
void print_by_task(std::FILE* out, const std::vector<RunGroup>& groups) {
  for (size_t i = 0; i < groups.size();) {
    const RunGroup& first = groups[i];
    Table table;
    std::vector<std::string> header{first.measure + " at the end, %"};
    header.insert(header.end(), first.tasks.begin(), first.tasks.end());
    table.add(header);
    for (; i < groups.size() && groups[i].tasks == first.tasks && groups[i].measure == first.measure; i++) {
      std::vector<std::string> cells{name_of(groups[i])};
      for (const auto& values : groups[i].task_measures.at("accuracy")) cells.push_back(spread(values, false));
      table.add(cells);
    }
    table.print(out);
    print(out, "\n");
  }
}

}  // namespace

void print_result(std::FILE* out, const AccuracyMatrix& matrix, const Measures& measures) {
  Table table;
  std::vector<std::string> header{matrix.measure + ", %"};
  header.insert(header.end(), matrix.tasks.begin(), matrix.tasks.end());
  table.add(header);
  for (size_t i = 0; i < matrix.models.size(); i++) {
    std::vector<std::string> cells{matrix.models[i]};
    for (const auto& cell : matrix.accuracy[i]) cells.push_back(percent(cell));
    table.add(cells);
  }
  add_row(table, "drop", measures.drop);
  add_row(table, "joint", matrix.joint);
  add_row(table, "intransigence", measures.intransigence);
  table.print(out);
  print(out, "\n");
  const std::optional<double> values[] = {measures.acc,        measures.bwt,       measures.fwt,
                                          measures.forgetting, measures.mean_drop, measures.mean_intransigence};
  for (size_t i = 0; i < std::size(kLines); i++) {
    const auto& [key, name, sign] = kLines[i];
    if (!values[i]) continue;
    print(out, "{:<13} {:>7} %   {}\n", name, percent(values[i], sign), measure_definitions().at(key));
  }
}

void print_result(std::FILE* out, const Runs& runs) {
  std::vector<Line> shown;
  for (const Line& line : kLines) {
    const auto has = [&](const RunGroup& group) {
      const auto found = group.measures.find(line.key);
      return found != group.measures.end() && statistic(found->second);
    };
    if (std::any_of(runs.groups().begin(), runs.groups().end(), has)) shown.push_back(line);
  }
  Table table;
  std::vector<std::string> header{"mean ± standard deviation, %", "runs"};
  for (const Line& line : shown) header.emplace_back(line.name);
  header.emplace_back("95 % interval of ACC");
  const bool several = runs.groups().size() > 1;
  if (several) header.emplace_back("ACC above the first row's");
  table.add(header);
  for (const auto& group : runs.groups()) {
    const size_t count = group.models.size();
    std::vector<std::string> cells{name_of(group), std::to_string(count)};
    for (const Line& line : shown) cells.push_back(spread(group.measures.at(line.key), line.sign));
    const auto acc = statistic(group.measures.at("acc"));
    cells.push_back(interval(acc));
    const auto& first = runs.groups().front();
    if (several) cells.push_back(&group == &first ? "" : mean_and_interval(statistic(difference(group, first, "acc"))));
    table.add(cells);
  }
  table.print(out);
  print(out, "\n");
  print_by_task(out, runs.groups());
  for (const Line& line : shown) print(out, "{:<13} {}\n", line.name, measure_definitions().at(line.key));
  if (several) print(out, "ACC above the first row's: of runs with the same seed, and the 95 % interval of that\n");
}

void print_result(std::FILE* out, const AgreementTable& agreements) {
  for (const auto& [other, rows] : agreements.others) {
    print(out, "importance in {} and in {}:\n", agreements.model, other);
    Table table;
    table.add({"parameter", "elements", "mean omega", "of the other", "rank correlation"});
    for (const auto& row : rows) {
      table.add({row.parameter.empty() ? "all" : row.parameter, std::to_string(row.elements),
                 fmt::format("{:.3g}", row.mean), fmt::format("{:.3g}", row.other_mean),
                 row.rank_correlation ? fixed(*row.rank_correlation, 4) : "-"});
    }
    table.print(out);
    print(out, "\n");
  }
  print(out, "rank correlation: Spearman's, over elements that aren't 0 in both\n");
}

}  // namespace mas::tool
