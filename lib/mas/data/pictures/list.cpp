// A text file that names pictures: a path and a label a line, as CSV or with blanks between them.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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
  std::string path(unquoted(line.substr(0, end)));
  for (size_t at = 0; quoted && (at = path.find("\"\"", at)) != std::string::npos; ++at) path.erase(at, 1);
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
  void add(std::string_view text) {
    ids_.push_back(known_.try_emplace(std::string(text), known_.size()).first->second);
  }

  // `classes`: those that the names are among, in their order; none: the names are all there are.
  void finish(PictureList& list, const std::vector<std::string>& classes, const std::string& file) const {
    std::vector<int32_t> label_of(known_.size());
    if (!classes.empty() || !numbers(label_of)) {
      list.class_names = classes;
      if (classes.empty())
        for (const auto& entry : known_) list.class_names.push_back(entry.first);
      for (const auto& [name, id] : known_) label_of[id] = place(list.class_names, name, file);
    }
    list.labels.reserve(ids_.size());
    for (size_t id : ids_) list.labels.push_back(label_of[id]);
  }

 private:
  bool numbers(std::vector<int32_t>& label_of) const {
    return std::all_of(known_.begin(), known_.end(), [&](const auto& entry) {
      int32_t& label = label_of[entry.second];
      return mas::parse_number(entry.first, label) && label >= 0;
    });
  }

  static int32_t place(const std::vector<std::string>& classes, const std::string& name, const std::string& file) {
    const auto found = std::lower_bound(classes.begin(), classes.end(), name);
    if (found == classes.end() || *found != name)
      throw Error(file, fmt::format("{}: a class that the training part doesn't have", name));
    return static_cast<int32_t>(found - classes.begin());
  }

  std::map<std::string, size_t> known_;  // in their order
  std::vector<size_t> ids_;
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
    const std::string path = (std::filesystem::path(list_.folder) / entry->path).string();
    if (access(path.c_str(), R_OK) != 0)
      throw Error(file_.name(), fmt::format("line {}: {}: {}", number, path, system_error_text(errno)));
    list_.names.add(entry->path);
    if (labelled) labels_.add(entry->label);
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
