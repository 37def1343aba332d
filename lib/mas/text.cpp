#include "mas/text.h"

#include <c10/core/ScalarType.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <system_error>

#include "mas/line.h"

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

std::string type_text(at::ScalarType type) {
  const auto bits = 8 * c10::elementSize(type);
  if (type == at::kBool) return "bool";
  if (type == at::kBFloat16) return "bfloat16";
  if (at::isComplexType(type)) return fmt::format("complex{}", bits);
  return fmt::format("{}{}", at::isFloatingType(type) ? "float" : type == at::kByte ? "uint" : "int", bits);
}

bool is_utf8(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
    const unsigned first = byte(i);
    const size_t length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4) return false;
    for (size_t k = 1; k < length; ++k)
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    // Too long a code for its character, half of a UTF-16 pair, or beyond Unicode (RFC 3629).
    const unsigned second = byte(i + 1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
        (first == 0xf4 && second > 0x8f))
      return false;
    i += length;
  }
  return true;
}

std::string harmless(std::string text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f) text[i] = '?';
    // U+0080 to U+009F are control characters, too.
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) text.replace(i, 2, "?");
  }
  return text;
}

std::string in_small_letters(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string printable(const std::string& text, size_t most) { return harmless_line(text.substr(0, most)); }

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

std::string listing(const std::vector<std::string>& names, size_t most) {
  const size_t n = std::min(names.size(), most);
  return fmt::format("{}{}", fmt::join(names.begin(), names.begin() + static_cast<ptrdiff_t>(n), ", "),
                     n < names.size() ? ", ..." : "");
}

std::string csv_field(const std::string& name) {
  const std::string text = harmless_line(name);
  if (text.find_first_of(",\"") == std::string::npos) return text;
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
