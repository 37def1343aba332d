// A list of pictures and what they show: CSV with the columns image, subject, predicate and object, of which the last
// ones are empty where a fact is shorter.
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "mas/data/csv_text.h"
#include "mas/data/facts/source.h"
#include "mas/data/facts/word_vectors.h"
#include "mas/data/formats.h"
#include "mas/data/pictures/source.h"
#include "mas/error.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr const char* kSeparators = ",;\t";
constexpr int64_t kLooked = 4096;
constexpr size_t kLongestName = 128;  // of each part's forms there are several in memory
const char* const kColumns[] = {"image", "subject", "predicate", "object"};
constexpr size_t kColumnCount = 4;

struct Header {
  char separator = ',';
  std::vector<std::string> columns;
  bool has(const std::string& column) const { return std::count(columns.begin(), columns.end(), column) > 0; }
  bool has_all() const {
    return std::all_of(std::begin(kColumns), std::end(kColumns), [&](auto column) { return has(column); });
  }
};

std::optional<Header> header_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (const char* separator = kSeparators; *separator; ++separator) {
    split_fields(line, *separator, fields);
    Header header{*separator, {fields.begin(), fields.end()}};
    if (header.has("image") && header.has("subject")) return header;
    for (auto& column : header.columns) column = in_small_letters(column);
    if (header.has_all()) return header;  // other tables may well have Image and Subject
  }
  return {};
}

class Parser {
 public:
  explicit Parser(const File& file) : file_(file) {
    list_.folder = std::filesystem::path(file.name()).parent_path().string();
  }

  void line(int64_t number, std::string_view text) {
    if (header_.columns.empty()) return read_header(number, text);
    split_fields(text, header_.separator, fields_);
    if (fields_.size() != header_.columns.size())
      fail(number, fmt::format("{} fields, but line {} has {}", fields_.size(), header_line_, header_.columns.size()));
    const auto field = [&](size_t column) { return unescaped(fields_[places_[column]]); };
    const std::string image = field(0);
    const FactWords words{field(1), field(2), field(3)};
    if (image.empty()) fail(number, "no image");
    if (words[0].empty()) fail(number, "no subject");
    for (const auto& word : words) {
      if (word.size() > kLongestName) fail(number, fmt::format("a word of {} bytes", word.size()));
      if (word.find_first_of(",<>") != std::string::npos) fail(number, fmt::format("{} is no word", printable(word)));
    }
    if (words[1].empty() && !words[2].empty()) fail(number, "an object without a predicate");
    add_listed(list_, image, file_.name(), number);
    const auto known = facts_.try_emplace(words, Entry{facts_.size(), number}).first;
    ids_.push_back(known->second.id);
  }

  // `known`: names of facts that have the first labels, which the training part has.
  Source finish(const SourceRequest& request, const std::vector<std::string>& known) {
    if (ids_.empty()) throw Error(file_.name(), "no pictures below its first line");
    std::vector<int32_t> label_of(facts_.size());
    std::map<std::string, size_t> labels;
    for (const auto& name : known) labels.emplace(name, labels.size());
    list_.class_names = known;
    for (const auto& [words, entry] : facts_) {
      const auto [found, is_new] = labels.emplace(fact_name(words), labels.size());
      if (is_new) list_.class_names.push_back(found->first);
      label_of[entry.id] = static_cast<int32_t>(found->second);
    }
    for (const size_t id : ids_) list_.labels.push_back(label_of[id]);
    std::vector<std::string> names = list_.class_names;
    Source source = open_pictures(std::move(list_), request);
    source.class_names = std::move(names);
    if (request.want_labels && request.labels.empty()) {
      if (request.vectors.empty())
        source.class_vectors = at::empty({static_cast<int64_t>(source.class_names.size()), 0});
      else
        add_vectors(source, request, label_of);
    }
    return source;
  }

 private:
  struct Entry {
    size_t id = 0;
    int64_t line = 0;  // of its first picture
  };

  [[noreturn]] void fail(int64_t number, const std::string& cause) const {
    throw Error(file_.name(), fmt::format("line {}: {}", number, cause));
  }

  void read_header(int64_t number, std::string_view text) {
    const auto header = header_of(text);  // what was recognised may have been cut within a name
    if (!header) fail(number, "no columns image and subject");
    header_ = *header;
    header_line_ = number;
    const auto& columns = header_.columns;
    std::vector<std::string> shown;
    for (const auto& column : columns)
      if (!column.empty()) shown.push_back(printable(column, 32));
    for (size_t i = 0; i < kColumnCount; ++i) {
      const auto found = std::find(columns.begin(), columns.end(), kColumns[i]);
      if (found == columns.end())
        fail(number, fmt::format("no column {} among {}; a list of facts has image, subject, predicate and object",
                                 kColumns[i], listing(shown, 8)));
      if (std::count(found, columns.end(), kColumns[i]) > 1) fail(number, fmt::format("two columns {}", kColumns[i]));
      places_[i] = static_cast<size_t>(found - columns.begin());
    }
  }

  void add_vectors(Source& source, const SourceRequest& request, const std::vector<int32_t>& label_of) const {
    std::set<std::string> wanted;
    for (const auto& [words, entry] : facts_)
      for (const auto& word : words)
        for (const auto& candidate : candidates_of(word)) wanted.insert(candidate);
    const auto known = read_word_vectors(*open_unpacked(request.vectors, request.scratch), wanted);
    std::map<std::string, std::vector<float>> vectors;
    std::map<int64_t, std::vector<std::string>> missing;  // line -> words
    std::vector<FactVectors> facts(source.class_names.size());
    for (const auto& [words, entry] : facts_) {
      for (size_t i = 0; i < words.size() && !words[i].empty(); ++i) {
        const auto [found, is_new] = vectors.try_emplace(words[i]);
        if (is_new) found->second = vector_of(words[i], known);
        if (found->second.empty()) missing[entry.line].push_back(printable(words[i]));
        facts[static_cast<size_t>(label_of[entry.id])][i] = &found->second;
      }
    }
    if (!missing.empty()) refuse_missing(missing, request.vectors);
    source.class_vectors = concatenated(facts, static_cast<int64_t>(vectors.begin()->second.size()));
  }

  // The first one by its line, and how much there is to do.
  [[noreturn]] void refuse_missing(const std::map<int64_t, std::vector<std::string>>& missing,
                                   const std::string& vectors) const {
    const auto& [line, words] = *missing.begin();
    std::set<std::string> others;
    for (const auto& [ignored, more] : missing) others.insert(more.begin(), more.end());
    others.erase(words[0]);
    std::string rest;
    if (!others.empty())
      rest = fmt::format(", nor of {} other word{}: {}", others.size(), others.size() == 1 ? "" : "s",
                         listing({others.begin(), others.end()}, 5));
    fail(line, fmt::format("no vector of {} in {}{}", words[0], vectors, rest));
  }

  const File& file_;
  Header header_;
  int64_t header_line_ = 0;
  std::array<size_t, kColumnCount> places_{};
  std::vector<std::string_view> fields_;
  PictureList list_;
  std::map<FactWords, Entry> facts_;  // in their order
  std::vector<size_t> ids_;
};

}  // namespace

// By its first line that isn't blank.
Match recognise_fact_manifest(const File& file) {
  const std::string text = file.text(0, kLooked);
  auto rest = without_mark(text);
  std::string_view first;
  for (; trimmed(first).empty() && !rest.empty(); rest.remove_prefix(std::min(first.size() + 1, rest.size())))
    first = rest.substr(0, rest.find('\n'));
  return header_of(first) ? Match::kSurely : Match::kNo;
}

Source open_fact_manifest(const std::shared_ptr<File>& file, const SourceRequest& request) {
  Parser parser(*file);
  for_each_line(*file, [&](int64_t number, std::string_view text) { parser.line(number, text); });
  return parser.finish(request, request.class_names);
}

}  // namespace mas
