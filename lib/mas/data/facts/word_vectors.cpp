#include "mas/data/facts/word_vectors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "mas/data/csv_text.h"
#include "mas/error.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr int64_t kMostValues = 1 << 16;   // of a vector
constexpr int64_t kLongestWord = 1 << 12;  // bytes
constexpr size_t kMostFields = kMostValues + kLongestWord;
constexpr int64_t kLooked = 1 << 12;
constexpr int64_t kChunk = 1 << 20;

// At most one more than kMostFields: what has more is refused.
std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  for (size_t at = 0; at < line.size() && fields.size() <= kMostFields;) {
    if (blank(line[at])) {
      ++at;
      continue;
    }
    const size_t begin = at;
    while (at < line.size() && !blank(line[at])) ++at;
    fields.push_back(line.substr(begin, at - begin));
  }
  return fields;
}

bool is_number(std::string_view text) {
  double ignored = 0;
  return parse_number(std::string(text), ignored);
}

struct Header {
  int64_t words = 0, values = 0;
  int64_t bytes = 0;  // of the line
};

// word2vec's first line.
std::optional<Header> header_of(const File& file) {
  const std::string head = file.text(0, 64);
  const size_t end = head.find('\n');
  if (end == std::string::npos) return {};
  const auto fields = fields_of(without_mark(std::string_view(head).substr(0, end)));
  Header header;
  if (fields.size() != 2 || !parse_number(std::string(fields[0]), header.words) ||
      !parse_number(std::string(fields[1]), header.values))
    return {};
  header.bytes = static_cast<int64_t>(end) + 1;
  return header;
}

// Words of some texts have control characters; what stands behind them is numbers then.
bool is_binary(const File& file, int64_t first_vector) {
  const std::string head = file.text(first_vector, kLooked);
  if (std::none_of(head.begin(), head.end(),
                   [](unsigned char c) { return c < 32 && c != '\n' && c != '\r' && c != '\t'; }))
    return false;
  const size_t end = head.find('\n');
  auto fields = fields_of(std::string_view(head).substr(0, end));
  if (end == std::string::npos && !fields.empty()) fields.pop_back();  // which may be cut
  return fields.size() < 2 || !is_number(fields.back());
}

void check_header(const Header& header, const File& file) {
  if (header.words >= 1 && header.values >= 1 && header.values <= kMostValues) return;
  throw Error(file.name(), fmt::format("line 1: {} words of {} values can't be", header.words, header.values));
}

WordVectors read_binary(const File& file, const Header& header, const std::set<std::string>& words) {
  check_header(header, file);
  const int64_t bytes = header.values * static_cast<int64_t>(sizeof(float));
  WordVectors found;
  std::string chunk;
  int64_t begin = header.bytes;  // of the chunk, in the file
  size_t at = 0;
  const auto more = [&](int64_t wanted) {  // whether so many bytes lie behind `at`
    if (static_cast<int64_t>(chunk.size() - at) >= wanted) return true;
    begin += static_cast<int64_t>(at);
    at = 0;
    chunk = file.text(begin, std::max(kChunk, wanted));
    return static_cast<int64_t>(chunk.size()) >= wanted;
  };
  for (int64_t number = 1; number <= header.words; ++number) {
    const auto fail = [&](const std::string& cause) {
      throw Error(file.name(), fmt::format("word {} of {}: {}", number, header.words, cause));
    };
    more(kLongestWord + bytes);
    while (at < chunk.size() && (chunk[at] == '\n' || chunk[at] == '\r')) ++at;
    const size_t blank = chunk.find(' ', at);
    if (blank == std::string::npos || static_cast<int64_t>(blank - at) > kLongestWord)
      fail(chunk.size() - at < kLongestWord ? "the file ends before it" : "longer than 4096 bytes");
    const std::string word = chunk.substr(at, blank - at);
    at = blank + 1;
    if (static_cast<int64_t>(chunk.size() - at) < bytes) fail("the file ends within its values");
    if (words.count(word) && !found.count(word)) {
      auto& values = found[word];
      values.resize(static_cast<size_t>(header.values));
      std::memcpy(values.data(), chunk.data() + at, static_cast<size_t>(bytes));
      if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
        fail(fmt::format("{} has a value that isn't finite", printable(word)));
    }
    at += static_cast<size_t>(bytes);
  }
  more(kLongestWord);
  if (chunk.find_first_not_of("\r\n", at) != std::string::npos)
    throw Error(file.name(),
                fmt::format("goes on after the {} words of {} values that line 1 says", header.words, header.values));
  return found;
}

class TextReader {
 public:
  TextReader(const File& file, const std::optional<Header>& header, const std::set<std::string>& words)
      : file_(file), words_(words) {
    if (!header) return;
    check_header(*header, file);
    values_ = header->values;
    promised_ = header->words;
  }

  void line(int64_t number, std::string_view text) {
    if (number == 1 && promised_ > 0) return;
    const auto fail = [&](const std::string& cause) {
      throw Error(file_.name(), fmt::format("line {}: {}", number, cause));
    };
    const auto fields = fields_of(text);
    if (fields.size() > kMostFields) fail(fmt::format("more than {} values", kMostValues));
    lines_++;
    const auto count = static_cast<int64_t>(fields.size());
    if (values_ == 0) {
      values_ = count - 1;
      if (values_ < 1 || values_ > kMostValues) fail("expected a word and the values of its vector");
    }
    const auto first = static_cast<std::ptrdiff_t>(count - values_);  // of the values
    const bool longer = first > 1 && std::all_of(fields.begin() + 1, fields.begin() + first, is_number);
    if (first < 1 || longer) fail(fmt::format("{} values, but the vectors before have {}", count - 1, values_));
    const std::string word(fields.front().data(),
                           static_cast<size_t>(fields[static_cast<size_t>(first) - 1].end() - fields.front().begin()));
    if (!words_.count(word) || found_.count(word)) return;
    auto& values = found_[word];
    for (auto field = fields.begin() + first; field != fields.end(); ++field) {
      double value = 0;  // which may be smaller than a float can be
      if (!parse_number(std::string(*field), value) || !std::isfinite(static_cast<float>(value)))
        fail(fmt::format("{} is no value of a vector", printable(std::string(*field))));
      values.push_back(static_cast<float>(value));
    }
  }

  WordVectors take() {
    if (promised_ > 0 && lines_ != promised_)
      throw Error(file_.name(), fmt::format("has {} words, but line 1 says {}", lines_, promised_));
    return std::move(found_);
  }

 private:
  const File& file_;
  const std::set<std::string>& words_;
  int64_t promised_ = 0, lines_ = 0;  // words; 0: not said
  int64_t values_ = 0;
  WordVectors found_;
};

std::vector<std::string> parts_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  std::vector<std::string> parts;
  for (const auto part : fields_of(name)) parts.emplace_back(part);
  return parts;
}

std::vector<std::string> forms_of(const std::string& name) {
  std::string joined = name;
  std::replace(joined.begin(), joined.end(), ' ', '_');
  return {name, joined, in_small_letters(name), in_small_letters(joined)};
}

const std::vector<float>* find_form(const std::string& name, const WordVectors& vectors) {
  for (const auto& form : forms_of(name))
    if (const auto found = vectors.find(form); found != vectors.end()) return &found->second;
  return nullptr;
}

}  // namespace

WordVectors read_word_vectors(const File& file, const std::set<std::string>& words) {
  const auto header = header_of(file);
  if (is_binary(file, header ? header->bytes : 0)) {
    if (!header)
      throw Error(file.name(),
                  "no word vectors: neither text nor word2vec's binary form, which begins with the numbers "
                  "of words and of values");
    return read_binary(file, *header, words);
  }
  TextReader reader(file, header, words);
  for_each_line(file, [&](int64_t number, std::string_view text) { reader.line(number, text); });
  return reader.take();
}

std::vector<std::string> candidates_of(const std::string& name) {
  auto all = forms_of(name);
  for (const auto& part : parts_of(name))
    for (const auto& form : forms_of(part)) all.push_back(form);
  return all;
}

std::vector<float> vector_of(const std::string& name, const WordVectors& vectors) {
  if (const auto* own = find_form(name, vectors)) return *own;
  std::vector<float> mean;
  const auto parts = parts_of(name);
  for (const auto& part : parts) {
    const auto* found = find_form(part, vectors);
    if (!found) return {};
    mean.resize(found->size());
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += (*found)[i] / static_cast<float>(parts.size());
  }
  return mean;
}

}  // namespace mas
