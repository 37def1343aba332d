#include "mas/data/pictures/folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "mas/data/pictures/decode.h"
#include "mas/data/pictures/source.h"
#include "mas/error.h"

namespace mas {
namespace {

namespace fs = std::filesystem;

const char* const kTrain = "train";
const char* const kTest[] = {"test", "val"};  // in the order in which they are looked for

struct Content {
  std::vector<std::string> folders, pictures;  // names, in their order; links are what they lead to
};

// Hidden files and folders are left out: they are other programs'.
Content content_of(const std::string& folder) {
  Content content;
  std::error_code failed, ignored;
  for (auto entry = fs::directory_iterator(folder, failed); !failed && entry != fs::directory_iterator();
       entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    if (name[0] == '.') continue;
    if (entry->is_directory(ignored))
      content.folders.push_back(name);
    else if (has_picture_name(name))
      content.pictures.push_back(name);
  }
  if (failed) throw Error(folder, failed.message());
  std::sort(content.folders.begin(), content.folders.end());
  std::sort(content.pictures.begin(), content.pictures.end());
  return content;
}

std::string joined(const std::string& folder, const std::string& name) { return (fs::path(folder) / name).string(); }

// A folder named train, test or val is a part where classes lie in it, or where there is nothing else; else a class.
std::vector<std::string> parts_of(const std::string& folder, const std::vector<std::string>& folders) {
  const auto is_named = [](const std::string& name) {
    return name == kTrain || std::count(std::begin(kTest), std::end(kTest), name);
  };
  std::vector<std::string> named;
  std::copy_if(folders.begin(), folders.end(), std::back_inserter(named), is_named);
  const bool alone = named.size() == folders.size();
  const bool holds_classes = std::any_of(named.begin(), named.end(),
                                         [&](auto& name) { return !content_of(joined(folder, name)).folders.empty(); });
  return alone || holds_classes ? named : std::vector<std::string>();
}

std::string test_part(const std::vector<std::string>& parts) {
  for (const char* name : kTest)
    if (std::count(parts.begin(), parts.end(), name)) return name;
  return "";
}

using Place = std::pair<dev_t, ino_t>;

Place place_of(const std::string& folder) {
  struct stat status {};
  return stat(folder.c_str(), &status) == 0 ? Place(status.st_dev, status.st_ino) : Place();
}

// The pictures below folder/name, as names relative to `folder`. `above`: the folders that lead there.
void add_below(const std::string& folder, const std::string& name, std::vector<Place>& above, FileNames& names) {
  const std::string path = joined(folder, name);
  const Place place = place_of(path);
  if (std::count(above.begin(), above.end(), place)) throw Error(path, "a link to a folder that it lies in");
  above.push_back(place);
  const Content content = content_of(path);
  for (const auto& picture : content.pictures) names.add(joined(name, picture));
  for (const auto& below : content.folders) add_below(folder, joined(name, below), above, names);
  above.pop_back();
}

[[noreturn]] void refuse_empty(const std::string& folder) {
  throw Error(folder, fmt::format("no pictures in it ({}); fill it, or remove it", kPictureEndings));
}

// Those of each class, whose label is its place among `known`. `complete`: none may be empty.
PictureList list_classes(const std::string& folder, const std::vector<std::string>& classes,
                         const std::vector<std::string>& known, bool complete) {
  PictureList list{folder, {}, {}, known};
  std::vector<Place> above{place_of(folder)};
  for (const auto& name : classes) {
    const auto found = std::lower_bound(known.begin(), known.end(), name);
    if (found == known.end() || *found != name)
      throw Error(joined(folder, name), "a class that the training part doesn't have");
    add_below(folder, name, above, list.names);
    const auto label = static_cast<int32_t>(found - known.begin());
    if (complete && list.names.size() == static_cast<int64_t>(list.labels.size())) refuse_empty(joined(folder, name));
    list.labels.resize(static_cast<size_t>(list.names.size()), label);
  }
  if (list.names.size() == 0) refuse_empty(folder);
  return list;
}

PictureList list_files(const std::string& folder, const Content& content) {
  if (content.pictures.empty()) refuse_empty(folder);
  PictureList list{folder, {}, {}, {}};
  for (const auto& picture : content.pictures) list.names.add(picture);
  return list;
}

}  // namespace

bool holds_pictures(const std::string& folder, int depth) {
  const Content content = content_of(folder);
  return !content.pictures.empty() ||
         (depth > 0 && std::any_of(content.folders.begin(), content.folders.end(),
                                   [&](auto& name) { return holds_pictures(joined(folder, name), depth - 1); }));
}

bool picture_folder_has_test_part(const std::string& folder) {
  return !test_part(parts_of(folder, content_of(folder).folders)).empty();
}

Source open_picture_folder(const std::string& folder, bool wants_test, const SourceRequest& request) {
  const Content top = content_of(folder);
  const auto parts = parts_of(folder, top.folders);
  const bool has_train = std::count(parts.begin(), parts.end(), kTrain);
  const std::string part = wants_test ? test_part(parts) : has_train ? kTrain : "";
  if (wants_test && part.empty())
    throw Error(folder, "no test part (a folder test or val); split=0.8 keeps a share of the training part for it");
  if (!parts.empty() && part.empty()) throw Error(folder, "no training part (a folder train)");
  const std::string place = part.empty() ? folder : joined(folder, part);
  const Content content = part.empty() ? top : content_of(place);
  if (content.folders.empty()) return open_pictures(list_files(place, content), request);
  if (!wants_test || !has_train)
    return open_pictures(list_classes(place, content.folders, content.folders, true), request);
  const auto known = content_of(joined(folder, kTrain)).folders;
  return open_pictures(list_classes(place, content.folders, known, false), request);
}

}  // namespace mas
