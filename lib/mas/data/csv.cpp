// Numbers in columns, a row a line. Parsed once, into float32 rows in a temporary file.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include "mas/data/csv_text.h"
#include "mas/data/formats.h"
#include "mas/error.h"

namespace mas {
namespace {

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
    split_fields(text, separator_, columns_);
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
      split_fields(text, candidate, columns_);
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
