// A text file that names pictures: a path and a label a line, as CSV or with blanks between them.
#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "mas/data/csv_text.h"
#include "mas/data/formats.h"
#include "mas/data/pictures/decode.h"
#include "mas/data/pictures/source.h"
#include "mas/error.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr const char* kSeparators = ",;\t ";
constexpr int64_t kLooked = 4096;  // bytes, in which the second line begins

struct Entry {
  std::string path;
  std::string_view label;  // "" where there is none
};

// A path may hold the separator itself: in quotation marks anywhere (two of them are one), without them before the
// last.
std::optional<Entry> entry_of(std::string_view line, char separator) {
  line = trimmed(line);
  const bool quoted = !line.empty() && line[0] == '"';
  const size_t end = std::min(quoted ? field_end(line, 0, separator) : line.rfind(separator), line.size());
  const auto field = unquoted(line.substr(0, end));
  const std::string path = quoted ? unescaped(field) : std::string(field);
  if (!has_picture_name(path)) return {};
  return Entry{path, end == line.size() ? std::string_view() : unquoted(line.substr(end + 1))};
}

std::optional<char> separator_of(std::string_view line) {
  for (const char* separator = kSeparators; *separator; ++separator)
    if (entry_of(line, *separator)) return *separator;
  return {};
}

// Labels are what whole numbers say, or else the places of their names in their order.
class Labels {
 public:
  void add(std::string_view text, int64_t line) {
    const auto known = known_.try_emplace(std::string(text), Label{known_.size(), line, number_of(text)}).first;
    ids_.push_back(known->second.id);
    if (known->second.number) ++numbered_;
  }

  // `classes`: those that the names are among, in their order; none: the names are all there are.
  void finish(PictureList& list, const std::vector<std::string>& classes, const std::string& file) const {
    std::vector<int32_t> label_of(known_.size());
    const bool are_names = !classes.empty() || numbered_ < ids_.size();
    if (are_names) list.class_names = classes.empty() ? names(file) : classes;
    for (const auto& [name, label] : known_)
      label_of[label.id] = are_names ? place(list.class_names, name, file) : *label.number;
    list.labels.reserve(ids_.size());
    for (size_t id : ids_) list.labels.push_back(label_of[id]);
  }

 private:
  struct Label {
    size_t id;
    int64_t line;  // where it stands first
    std::optional<int32_t> number;
  };

  static std::optional<int32_t> number_of(std::string_view text) {
    int32_t number = 0;
    return mas::parse_number(std::string(text), number) && number >= 0 ? std::optional(number) : std::nullopt;
  }

  // Among numbers a name is a slip, which would give all of them other labels.
  std::vector<std::string> names(const std::string& file) const {
    std::vector<std::string> all;
    const std::pair<const std::string, Label>* slip = nullptr;
    for (const auto& known : known_) {
      all.push_back(known.first);
      if (!known.second.number && (!slip || known.second.line < slip->second.line)) slip = &known;
    }
    if (slip && 2 * numbered_ > ids_.size())
      throw Error(file, fmt::format("line {}: label {}, where most are whole numbers from 0; mend it, or let all be "
                                    "names",
                                    slip->second.line, slip->first));
    return all;
  }

  static int32_t place(const std::vector<std::string>& classes, const std::string& name, const std::string& file) {
    const auto found = std::lower_bound(classes.begin(), classes.end(), name);
    if (found == classes.end() || *found != name)
      throw Error(file, fmt::format("{}: a class that the training part doesn't have", name));
    return static_cast<int32_t>(found - classes.begin());
  }

  std::map<std::string, Label> known_;  // in their order
  std::vector<size_t> ids_;
  size_t numbered_ = 0;  // of ids_
};

class Parser {
 public:
  explicit Parser(const File& file) : file_(file) {
    list_.folder = std::filesystem::path(file.name()).parent_path().string();
  }

  void line(int64_t number, std::string_view text) {
    if (!separator_) {
      separator_ = separator_of(text);
      if (!separator_) return;  // the header
    }
    const auto entry = entry_of(text, *separator_);
    const bool labelled = entry && !entry->label.empty();
    if (!entry || (list_.names.size() > 0 && labelled != labelled_))
      throw Error(file_.name(), fmt::format("line {}: expected a picture ({}) {} a label, as in the lines before",
                                            number, kPictureEndings, labelled_ ? "and" : "without"));
    labelled_ = labelled;
    add_listed(list_, entry->path, file_.name(), number);
    if (labelled) labels_.add(entry->label, number);
  }

  PictureList finish(const std::vector<std::string>& classes) {
    if (labelled_) labels_.finish(list_, classes, file_.name());
    return std::move(list_);
  }

 private:
  const File& file_;
  std::optional<char> separator_;
  bool labelled_ = false;
  PictureList list_;
  Labels labels_;
};

}  // namespace

// By its first line or, below a header, its second.
Match recognise_picture_list(const File& file) {
  if (recognise_csv(file) == Match::kNo) return Match::kNo;
  const std::string head = file.text(0, kLooked);
  const auto lines = cut(head, '\n');
  const auto is_entry = [](const std::string& line) { return separator_of(line).has_value(); };
  return std::any_of(lines.begin(),
                     lines.begin() + std::min<std::ptrdiff_t>(2, static_cast<std::ptrdiff_t>(lines.size())), is_entry)
             ? Match::kSurely
             : Match::kNo;
}

Source open_picture_list(const std::shared_ptr<File>& file, const SourceRequest& request) {
  Parser parser(*file);
  for_each_line(*file, [&](int64_t number, std::string_view text) { parser.line(number, text); });
  return open_pictures(parser.finish(request.class_names), request);
}

}  // namespace mas
