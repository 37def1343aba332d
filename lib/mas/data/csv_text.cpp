#include "mas/data/csv_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "mas/error.h"

namespace mas {
namespace {

constexpr int64_t kChunk = 1 << 18;
constexpr size_t kLongestLine = size_t{1} << 26;

}  // namespace

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view without_mark(std::string_view text) {
  return text.substr(text.substr(0, 3) == "\xEF\xBB\xBF" ? 3 : 0);
}

std::string_view unquoted(std::string_view field) {
  field = trimmed(field);
  const bool quoted = field.size() > 1 && field.front() == '"' && field.back() == '"';
  return quoted ? field.substr(1, field.size() - 2) : field;
}

std::string unescaped(std::string_view field) {
  std::string text(field);
  for (size_t at = 0; (at = text.find("\"\"", at)) != std::string::npos; ++at) text.erase(at, 1);
  return text;
}

size_t field_end(std::string_view text, size_t begin, char separator) {
  size_t at = text.find_first_not_of(' ', begin);
  if (at == std::string_view::npos || text[at] != '"') return std::min(text.find(separator, begin), text.size());
  for (++at; at < text.size(); ++at) {
    if (text[at] != '"') continue;
    if (at + 1 == text.size() || text[at + 1] != '"') break;
    ++at;
  }
  return std::min(text.find(separator, at), text.size());
}

void split_fields(std::string_view text, char separator, std::vector<std::string_view>& fields) {
  fields.clear();
  for (size_t begin = 0;;) {
    const size_t end = field_end(text, begin, separator);
    fields.push_back(unquoted(text.substr(begin, end - begin)));
    if (end == text.size()) return;
    begin = end + 1;
  }
}

void for_each_line(const File& file, const std::function<void(int64_t, std::string_view)>& line) {
  std::string pending;
  int64_t number = 0;
  const auto give = [&](std::string_view text) {
    if (++number == 1) text = without_mark(text);
    if (!trimmed(text).empty()) line(number, text);
  };
  for (int64_t offset = 0; offset < file.size(); offset += kChunk) {
    const std::string chunk = file.text(offset, kChunk);
    size_t begin = 0;
    for (size_t end; (end = chunk.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (pending.empty()) {
        give(std::string_view(chunk).substr(begin, end - begin));
      } else {
        pending.append(chunk, begin, end - begin);
        give(pending);
        pending.clear();
      }
    }
    pending.append(chunk, begin);
    if (pending.size() > kLongestLine)
      throw Error(file.name(), fmt::format("line {} is longer than {} bytes", number + 1, kLongestLine));
  }
  if (!pending.empty()) give(pending);
}

}  // namespace mas
