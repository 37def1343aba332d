#include "mas/data/folder_parts.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "mas/data/label_file.h"
#include "mas/data/pictures/decode.h"
#include "mas/data/pictures/folder.h"
#include "mas/error.h"
#include "mas/io/bytes.h"
#include "mas/text.h"

namespace mas {
namespace {

namespace fs = std::filesystem;

/// A folder's parts by file name; '*' stands for anything. In the order in which they are looked for.
struct Layout {
  const char* train;
  const char* test;
};
const Layout kLayouts[] = {
    {"train-images-idx3-ubyte", "t10k-images-idx3-ubyte"},
    {"train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"},
    {"train-images.idx3-ubyte", "t10k-images.idx3-ubyte"},
    {"data_batch*.bin", "test_batch*.bin"},
    {"train.bin", "test.bin"},
    {"train.h5", "test.h5"},
    {"train.csv", "test.csv"},
    {"*.tra", "*.tes"},
};

bool matches(const std::string& name, const std::string& pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string::npos) return name == pattern;
  return name.size() + 1 >= pattern.size() && starts_with(name, pattern.substr(0, star)) &&
         ends_with(name, pattern.substr(star + 1));
}

std::vector<std::string> matching(const std::vector<std::string>& names, const std::string& pattern) {
  std::vector<std::string> found;
  std::copy_if(names.begin(), names.end(), std::back_inserter(found),
               [&](auto& name) { return matches(name, pattern); });
  return found;
}

// Row after row of each file. Labels only where all have them.
Source joined(std::vector<Source> sources, const std::vector<std::string>& paths) {
  if (sources.size() == 1) return std::move(sources[0]);
  Source all = sources[0];
  auto parts = std::make_shared<std::vector<Source>>(std::move(sources));
  for (size_t i = 1; i < parts->size(); ++i) {
    const Source& part = (*parts)[i];
    if (part.check || all.check)
      throw Error(paths[i],
                  fmt::format("lists of pictures aren't joined, and {} is another; make one of them", paths[0]));
    if (part.shape != all.shape || part.type != all.type)
      throw Error(paths[i],
                  fmt::format("rows of {}, but {} has {}", shape_text(part.shape), paths[0], shape_text(all.shape)));
    all.rows += part.rows;
    all.has_labels &= part.has_labels;
  }
  const int64_t bytes = all.row_bytes();
  all.read = [parts, bytes](at::ArrayRef<int64_t> rows, void* out) {
    char* target = static_cast<char*>(out);
    std::vector<int64_t> within;
    for (size_t i = 0; i < rows.size();) {
      int64_t first = 0;
      auto part = parts->begin();
      while (rows[i] >= first + part->rows) first += (part++)->rows;
      within.clear();
      while (i < rows.size() && rows[i] >= first && rows[i] < first + part->rows) within.push_back(rows[i++] - first);
      part->read(within, target);
      target += static_cast<int64_t>(within.size()) * bytes;
    }
  };
  all.labels = [parts] {
    std::vector<int32_t> labels;
    for (const Source& part : *parts) {
      const auto more = part.labels();
      labels.insert(labels.end(), more.begin(), more.end());
    }
    return labels;
  };
  return all;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code failed;
  for (auto entry = fs::directory_iterator(folder, failed); !failed && entry != fs::directory_iterator();
       entry.increment(failed))
    names.push_back(entry->path().filename().string());
  if (failed) throw Error(folder, system_error_text(failed.value()));
  std::sort(names.begin(), names.end());
  return names;
}

// The first layout of which the folder has a part.
const Layout* find_layout(const std::vector<std::string>& names) {
  for (const Layout& layout : kLayouts)
    if (!matching(names, layout.train).empty() || !matching(names, layout.test).empty()) return &layout;
  return nullptr;
}

[[noreturn]] void refuse_folder(const std::string& folder) {
  std::vector<std::string> looked_for;
  for (const Layout& layout : kLayouts) looked_for.emplace_back(layout.train);
  throw Error(folder, fmt::format("a folder without data that are known; looked for {}, and pictures ({})",
                                  fmt::join(looked_for, ", "), kPictureEndings));
}

Source open_pictures_in(const std::string& folder, bool wants_test, const SourceRequest& request) {
  refuse_column(folder, request, "a folder of pictures");
  Source source = open_picture_folder(folder, wants_test, request);
  choose_labels(source, folder, request);
  return source;
}

// The test part's labels, where they are names, mean what they mean in the training part.
void name_as_training(Source& test, const std::string& path, const std::string& training,
                      const SourceRequest& request) {
  SourceRequest other = request;
  other.cache.clear();    // which is the test part's
  other.vectors.clear();  // of its facts the names are wanted alone
  const Source known = open_file(training, other);
  if (known.has_labels && known.class_names.empty() && !test.class_names.empty())
    throw Error(path, fmt::format("labels are names, but {} has numbers", training));
  SourceRequest named = request;
  named.class_names = known.class_names;
  test = open_file(path, named);
}

}  // namespace

Source open_folder(const std::string& folder, bool wants_test, const SourceRequest& request) {
  const auto names = names_in(folder);
  const Layout* layout = find_layout(names);
  if (!layout) {
    if (!holds_pictures(folder)) refuse_folder(folder);
    return open_pictures_in(folder, wants_test, request);
  }
  auto wanted = matching(names, wants_test ? layout->test : layout->train);
  if (wanted.empty() && wants_test)
    throw Error(folder,
                fmt::format("no test part ({}); split=0.8 keeps a share of the training part for it", layout->test));
  if (wanted.empty()) throw Error(folder, fmt::format("no training part ({})", layout->train));
  const auto within = [&](const std::string& name) { return folder + (folder.back() == '/' ? "" : "/") + name; };
  std::vector<Source> sources;
  for (auto& name : wanted) {
    name = within(name);
    sources.push_back(open_file(name, request));
  }
  const bool is_list = sources[0].stored && sources[0].has_labels && request.labels.empty();
  const auto training = matching(names, layout->train);
  if (wants_test && is_list && !training.empty()) name_as_training(sources[0], wanted[0], within(training[0]), request);
  return joined(std::move(sources), wanted);
}

bool has_parts(const std::string& folder) { return find_layout(names_in(folder)); }

bool is_within(const std::string& folder, const std::string& file) {
  std::error_code ignored;
  const fs::path place = fs::weakly_canonical(fs::absolute(file).parent_path(), ignored);
  const fs::path data = fs::canonical(folder, ignored);
  return std::mismatch(data.begin(), data.end(), place.begin(), place.end()).first == data.end();
}

bool path_has_test_part(const std::string& path) {
  if (!fs::is_directory(path)) return false;
  const auto names = names_in(path);
  const Layout* layout = find_layout(names);
  return layout ? !matching(names, layout->test).empty() : picture_folder_has_test_part(path);
}

}  // namespace mas
