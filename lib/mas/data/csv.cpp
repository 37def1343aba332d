// Numbers in columns, a row a line. Parsed once, into float32 rows in a temporary file.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <functional>
#include <string_view>

#include <fmt/format.h>

#include "mas/data/formats.h"
#include "mas/error.h"

namespace mas {
namespace {

constexpr int64_t kChunk = 1 << 18;
constexpr size_t kLongestLine = size_t{1} << 26;

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// What a field says: without blanks around it, and the quotation marks that enclose it.
std::string_view unquoted(std::string_view field) {
  field = trimmed(field);
  const bool quoted = field.size() > 1 && field.front() == '"' && field.back() == '"';
  return quoted ? field.substr(1, field.size() - 2) : field;
}

// Where the field from `begin` on ends. Between quotation marks that enclose it a separator is text, and two of them
// are one (RFC 4180).
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

void split(std::string_view text, char separator, std::vector<std::string_view>& fields) {
  fields.clear();
  for (size_t begin = 0;;) {
    const size_t end = field_end(text, begin, separator);
    fields.push_back(unquoted(text.substr(begin, end - begin)));
    if (end == text.size()) return;
    begin = end + 1;
  }
}

// Calls line(number, text) for each line that isn't blank; without its end, byte order mark and carriage return.
void for_each_line(const File& file, const std::function<void(int64_t, std::string_view)>& line) {
  std::string pending;
  int64_t number = 0;
  const auto give = [&](std::string_view text) {
    if (++number == 1 && text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
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

bool parse_number(std::string_view text, float& value) {
  text = trimmed(text);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  const char* end = text.data() + text.size();
  auto [stop, code] = std::from_chars(text.data(), end, value);
  if (stop != end || text.empty()) return false;
  if (code == std::errc::result_out_of_range) {
    double wide = 0;  // 1e-50 is a fine zero, 1e50 is none
    value = std::from_chars(text.data(), end, wide).ec == std::errc() ? static_cast<float>(wide) : INFINITY;
  }
  return true;
}

class Parser {
 public:
  Parser(const File& file, const SourceRequest& request)
      : file_(file), spool_(request.scratch, file.name()), want_labels_(request.want_labels) {
    if (request.labels.empty() || request.labels == "last") label_ = Label::kLast;
    if (request.labels == "first") label_ = Label::kFirst;
  }

  void line(int64_t number, std::string_view text) {
    if (width_ == 0) choose_separator(text);
    split(text, separator_, columns_);
    if (width_ == 0) {
      width_ = columns_.size();
      if (width_ < 2 && label_ != Label::kNone)
        throw Error(file_.name(),
                    fmt::format("line {} has one column, a label and nothing else; labels=none takes it as "
                                "a value",
                                number));
      if (is_header()) return;
    }
    if (columns_.size() != width_)
      throw Error(file_.name(),
                  fmt::format("line {} has {} columns, the first line has {}", number, columns_.size(), width_));
    row_.clear();
    for (size_t i = 0; i < width_; ++i) {
      if (i != label_column())
        row_.push_back(number_at(number, i));
      else if (want_labels_)
        labels_.push_back(label(number, number_at(number, i)));
    }
    spool_.write(row_.data(), static_cast<int64_t>(row_.size() * sizeof(float)));
    ++rows_;
  }

  Source finish() {
    if (rows_ == 0) throw Error(file_.name(), "no rows");
    Source source;
    source.rows = rows_;
    source.type = at::kFloat;
    source.shape = {static_cast<int64_t>(width_) - (label_ != Label::kNone)};
    const int64_t bytes = source.row_bytes();
    source.read = read_stretches({{spool_.finish(), 0, bytes, rows_}}, bytes);
    if (label_ != Label::kNone && want_labels_) {
      source.has_labels = true;
      source.labels = [labels = std::make_shared<std::vector<int32_t>>(std::move(labels_))] { return *labels; };
    }
    return source;
  }

 private:
  enum class Label { kNone, kFirst, kLast };

  size_t label_column() const { return label_ == Label::kFirst ? 0 : label_ == Label::kLast ? width_ - 1 : width_; }

  void choose_separator(std::string_view text) {
    size_t most = 0;
    for (char candidate : {',', ';', '\t'}) {
      split(text, candidate, columns_);
      if (columns_.size() <= most) continue;
      most = columns_.size();
      separator_ = candidate;
    }
  }

  // Names, not numbers: all over, or above the labels ("label,0,1,2"). One word among numbers is a mistake instead.
  bool is_header() const {
    float value = 0;
    if (label_ != Label::kNone && !parse_number(columns_[label_column()], value)) return true;
    return std::none_of(columns_.begin(), columns_.end(), [&](std::string_view c) { return parse_number(c, value); });
  }

  float number_at(int64_t line, size_t column) const {
    float value = 0;
    const bool parsed = parse_number(columns_[column], value);
    if (!parsed || !std::isfinite(value))
      throw Error(file_.name(), fmt::format("line {}, column {}: '{}' is no {}number", line, column + 1,
                                            printable(columns_[column]), parsed ? "finite " : ""));
    return value;
  }

  int32_t label(int64_t line, float value) const {
    if (value < 0 || value >= 0x1p24f || value != std::floor(value))
      throw Error(file_.name(),
                  fmt::format("line {}, column {}: '{}' is no label, labels are whole numbers from 0; see "
                              "labels=first and labels=none",
                              line, label_column() + 1, printable(columns_[label_column()])));
    return static_cast<int32_t>(value);
  }

  static std::string printable(std::string_view text) {
    std::string result(trimmed(text).substr(0, 40));
    for (char& c : result)
      if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = '?';
    return result;
  }

  const File& file_;
  Spool spool_;
  bool want_labels_;
  Label label_ = Label::kNone;
  char separator_ = ',';
  size_t width_ = 0;
  int64_t rows_ = 0;
  std::vector<std::string_view> columns_;
  std::vector<float> row_;
  std::vector<int32_t> labels_;
};

}  // namespace

Match recognise_csv(const File& file) {
  const std::string head = file.text(0, 4096);
  const bool text = std::none_of(head.begin(), head.end(), [](unsigned char c) {
    return (c < 32 && c != '\t' && c != '\r' && c != '\n') || c == 127;
  });
  return text ? Match::kSurely : Match::kNo;
}

Source open_csv(const std::shared_ptr<File>& file, const SourceRequest& request) {
  Parser parser(*file, request);
  for_each_line(*file, [&](int64_t number, std::string_view text) { parser.line(number, text); });
  return parser.finish();
}

}  // namespace mas
