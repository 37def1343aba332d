#pragma once
#include <ATen/core/ATen_fwd.h>

#include <charconv>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

namespace mas {

/// "60000 x 28 x 28", or "scalar", for messages.
std::string shape_text(at::IntArrayRef sizes);

/// "float32", "int64", ...: a tensor type as files and NumPy call it, for messages.
std::string type_text(at::ScalarType type);

/// Whether the text is UTF-8.
bool is_utf8(const std::string& text);

/// The text with '?' for each control character but tab and end of line: texts of files must not steer a terminal.
std::string harmless(std::string text);

/// Text from a file, fit for a message of one line: cut to `most` bytes, with ? for control characters.
std::string printable(const std::string& text, size_t most = 64);

/// What an errno means, to follow a colon: "no such file or directory".
std::string system_error_text(int code);

/// The parts between separators, of which there is always one: "a::b" -> "a", "", "b".
std::vector<std::string> cut(const std::string& text, char separator);

/// With a for A and so on; other letters stay.
std::string in_small_letters(std::string text);

/// "a, b, c": the names, the first `most` of many with ", ..." behind them.
std::string listing(const std::vector<std::string>& names, size_t most);

/// A field of a CSV line: a name in a line (line.h), quoted where it holds a comma or a quotation mark (RFC 4180).
std::string csv_field(const std::string& name);

/// The candidate nearest to a mistyped word (edit distance; the first of several). Empty without candidates.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// The same where it is near enough to be meant; else empty, also where the word itself is a candidate.
std::string likely(const std::string& word, const std::vector<std::string>& candidates);

/// Whether the text is, from end to end, a number of the type; finite, and without a plus sign.
template <typename Number>
bool parse_number(const std::string& text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end) return false;
  if constexpr (std::is_floating_point_v<Number>) return std::isfinite(value);
  return true;
}

}  // namespace mas
