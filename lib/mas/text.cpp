#include "mas/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <system_error>

namespace mas {
namespace {

// Levenshtein's.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string shape_text(at::IntArrayRef sizes) {
  return sizes.empty() ? "scalar" : fmt::format("{}", fmt::join(sizes, " x "));
}

std::string system_error_text(int code) {
  std::string text = std::generic_category().message(code);
  // Not where the first word is an abbreviation.
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1]))) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

std::vector<std::string> cut(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string field = "\"";
  for (char c : text) field += c == '"' ? std::string("\"\"") : std::string(1, c);
  return field + "\"";
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  const auto found = std::min_element(
      candidates.begin(), candidates.end(),
      [&](const std::string& a, const std::string& b) { return edit_distance(word, a) < edit_distance(word, b); });
  return found == candidates.end() ? "" : *found;
}

std::string likely(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string found = nearest(word, candidates);
  const size_t distance = edit_distance(word, found);
  return distance > 0 && distance <= (word.size() + 1) / 3 ? found : "";
}

}  // namespace mas
