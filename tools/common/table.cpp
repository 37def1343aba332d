#include "common/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/print.h"
#include "mas/line.h"

namespace mas::tool {

void Table::add(std::vector<std::string> cells) {
  for (auto& cell : cells) cell = harmless_line(std::move(cell));
  rows_.push_back(std::move(cells));
}

std::string Table::render() const {
  std::string text;
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); i++) {
      line += i == 0 ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("  {:>{}}", row[i], widths[i]);
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    text += line + "\n";
  }
  return text;
}

void Table::print(std::FILE* out) const { print_text(out, render()); }

}  // namespace mas::tool
