#include "mas/data/pictures/folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "mas/data/pictures/decode.h"
#include "mas/data/pictures/source.h"
#include "mas/error.h"
#include "mas/text.h"

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
  if (failed) throw Error(folder, system_error_text(failed.value()));
  std::sort(content.folders.begin(), content.folders.end());
  std::sort(content.pictures.begin(), content.pictures.end());
  return content;
}

std::string joined(const std::string& folder, const std::string& name) { return (fs::path(folder) / name).string(); }

// A folder named train, test or val is a part where folders lie in it, or where there is nothing else; else a class.
std::vector<std::string> parts_of(const std::string& folder, const std::vector<std::string>& folders) {
  const auto is_named = [](const std::string& name) {
    return name == kTrain || std::count(std::begin(kTest), std::end(kTest), name);
  };
  if (std::all_of(folders.begin(), folders.end(), is_named)) return folders;
  std::vector<std::string> parts;
  std::copy_if(folders.begin(), folders.end(), std::back_inserter(parts),
               [&](auto& name) { return is_named(name) && !content_of(joined(folder, name)).folders.empty(); });
  return parts;
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

// The pictures of a class, as names relative to the folder that the class lies in.
class ClassPictures {
 public:
  ClassPictures(std::string folder, FileNames& names) : folder_(std::move(folder)), names_(names) {
    above_.push_back(place_of(folder_));
  }

  // Those below folder/name. Links that lead to a folder in several ways would be followed in all of them, which is
  // twice as many with each that branches.
  void add(const std::string& name) {
    const std::string path = joined(folder_, name);
    const Place place = place_of(path);
    if (std::count(above_.begin(), above_.end(), place)) throw Error(path, "a link to a folder that it lies in");
    const auto [known, is_new] = seen_.try_emplace(place, path);
    if (!is_new) throw Error(path, "the same folder as " + known->second + ", in one class; remove one of the links");
    above_.push_back(place);
    const Content content = content_of(path);
    for (const auto& picture : content.pictures) names_.add(joined(name, picture));
    for (const auto& below : content.folders) add(joined(name, below));
    above_.pop_back();
  }

 private:
  std::string folder_;
  FileNames& names_;
  std::vector<Place> above_;           // the folders that lead to where it is
  std::map<Place, std::string> seen_;  // and what those are called where it was
};

bool holds_unseen_pictures(const std::string& folder, std::set<Place>& seen) {
  if (!seen.insert(place_of(folder)).second) return false;
  const Content content = content_of(folder);
  return !content.pictures.empty() || std::any_of(content.folders.begin(), content.folders.end(), [&](auto& name) {
    return holds_unseen_pictures(joined(folder, name), seen);
  });
}

[[noreturn]] void refuse_empty(const std::string& folder) {
  throw Error(folder, fmt::format("no pictures in it ({}); fill it, or remove it", kPictureEndings));
}

// Those of each class, whose label is its place among `known`. `complete`: none may be empty.
PictureList list_classes(const std::string& folder, const std::vector<std::string>& classes,
                         const std::vector<std::string>& known, bool complete) {
  PictureList list{folder, {}, {}, known};
  for (const auto& name : classes) {
    const auto found = std::lower_bound(known.begin(), known.end(), name);
    if (found == known.end() || *found != name)
      throw Error(joined(folder, name), "a class that the training part doesn't have");
    ClassPictures(folder, list.names).add(name);
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

bool holds_pictures(const std::string& folder) {
  std::set<Place> seen;
  return holds_unseen_pictures(folder, seen);
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
  if (!parts.empty() && part.empty())
    throw Error(folder, "no training part (a folder train with a folder for each class)");
  const std::string place = part.empty() ? folder : joined(folder, part);
  const Content content = part.empty() ? top : content_of(place);
  if (content.folders.empty()) return open_pictures(list_files(place, content), request);
  if (!wants_test || !has_train)
    return open_pictures(list_classes(place, content.folders, content.folders, true), request);
  const auto known = content_of(joined(folder, kTrain)).folders;
  return open_pictures(list_classes(place, content.folders, known, false), request);
}

}  // namespace mas
