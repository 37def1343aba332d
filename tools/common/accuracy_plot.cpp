#include "common/accuracy_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "common/gnuplot.h"

namespace mas::tool {
namespace {

struct Curve {
  std::string name;  ///< empty: not in the key
  std::string style;
  std::vector<std::optional<double>> values;  ///< fractions, one for each place along the sequence
};

constexpr size_t kMostNames = 20, kMostTics = 25, kMostOfName = 32;

constexpr const char* kStyleOfAcc = "linecolor rgb '#505050' linewidth 2.5 dashtype (6,5) pointtype 7 pointsize 0.4";
constexpr const char* kStyleOfOthers = "linecolor rgb '#c8c8c8' pointtype 7 pointsize 0.4";

// Ten colours that are told apart on white, twice: with filled marks, then with open ones.
std::string style_of(size_t task) {
  constexpr const char* kColours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e",
                                      "#17becf", "#8c564b", "#e377c2", "#a0a000", "#20206a"};
  constexpr int kFilled[] = {7, 5, 9, 11, 13}, kOpen[] = {6, 4, 8, 10, 12};  // circle, square, triangles, diamond
  constexpr size_t colours = std::size(kColours);
  if (task >= kMostNames) return kStyleOfOthers;
  const auto& marks = task < colours ? kFilled : kOpen;
  return fmt::format("linecolor rgb '{}' linewidth {} pointtype {}", kColours[task % colours], task < colours ? 2 : 1.5,
                     marks[task % std::size(kFilled)]);
}

// Where the axis of accuracies begins, in percent: the best of round numbers where all lies near the top, so that
// differences there are seen.
double lowest_shown(const std::vector<Curve>& curves) {
  double least = 1;
  for (const auto& curve : curves)
    for (const auto& value : curve.values)
      if (value) least = std::min(least, *value);
  if (least <= 0.5) return 0;
  for (const double room : {2, 5, 10, 20})
    if (110 * (1 - least) <= room) return 100 - room;
  return 50;
}

std::string axes(const std::vector<std::string>& places, double lowest, const std::string& measure) {
  const size_t step = (places.size() + kMostTics - 1) / kMostTics;
  std::vector<std::string> tics;
  size_t longest = 0;
  for (size_t i = 0; i < places.size(); i += step) {
    tics.push_back(fmt::format("{} {}", gnuplot_tic(places[i]), i + 1));
    longest = std::max(longest, places[i].size());
  }
  constexpr size_t kInARow = 75;  // characters
  const bool turned = tics.size() * (longest + 2) > kInARow;
  return fmt::format(
      "set xrange [0.5:{}.5]\nset yrange [{}:{}]\nset xtics {} ({})\nset ylabel '{}, %'\n"
      "set border 3\nset tics nomirror\nset grid ytics linetype 1 linecolor rgb '#e0e0e0'\n"
      "set key outside right top Left reverse spacing 0.9\n",
      places.size(), lowest, 100 + 0.02 * (100 - lowest), turned ? "rotate by -45 left" : "", fmt::join(tics, ", "),
      measure);
}

std::string data(const std::vector<Curve>& curves, size_t places) {
  std::string lines = "$data << END\n";
  for (size_t i = 0; i < places; i++) {
    lines += std::to_string(i + 1);
    for (const auto& curve : curves) lines += curve.values[i] ? fmt::format(" {:.6f}", 100 * *curve.values[i]) : " NaN";
    lines += '\n';
  }
  return lines + "END\n";
}

std::string chart(const std::string& measure, const std::vector<std::string>& places,
                  const std::vector<Curve>& curves) {
  std::vector<std::string> plots;
  for (const auto& curve : curves) {
    const std::string name = curve.name.empty() ? "notitle" : "title " + gnuplot_string(curve.name, kMostOfName);
    plots.push_back(fmt::format("$data using 1:{} with linespoints {} {}", plots.size() + 2, curve.style, name));
  }
  std::string title = measure + " of each task since it was learned";
  if (measure == "accuracy") title[0] = 'A';
  return fmt::format("set title {}\n{}{}plot {}\n", gnuplot_string(title, title.size()),
                     axes(places, lowest_shown(curves), measure), data(curves, places.size()), fmt::join(plots, ", "));
}

// Models are called after the task that each learned last, as long as that tells them apart.
std::vector<std::string> places_of(const AccuracyMatrix& matrix) {
  const auto& learned = matrix.learned;
  if (std::adjacent_find(learned.begin(), learned.end(), std::greater_equal<>()) != learned.end()) return matrix.models;
  std::vector<std::string> places;
  for (const int64_t count : learned) places.push_back("after " + matrix.tasks[static_cast<size_t>(count) - 1]);
  return places;
}

std::string name_of(const AccuracyMatrix& matrix, size_t task) {
  if (task < kMostNames) return matrix.tasks[task];
  return task > kMostNames ? "" : fmt::format("{} more tasks", matrix.tasks.size() - kMostNames);
}

}  // namespace

std::string plot_commands(const AccuracyMatrix& matrix) {
  std::vector<Curve> curves;
  for (size_t j = 0; j < matrix.tasks.size(); j++) {
    Curve curve{name_of(matrix, j), style_of(j), {}};
    for (size_t i = 0; i < matrix.models.size(); i++) {
      const bool known = matrix.learned[i] > static_cast<int64_t>(j);
      curve.values.push_back(known ? matrix.accuracy[i][j] : std::nullopt);
    }
    curves.push_back(std::move(curve));
  }
  curves.push_back({"ACC", kStyleOfAcc, acc_along(matrix)});
  return chart(matrix.measure, places_of(matrix), curves);
}

}  // namespace mas::tool
