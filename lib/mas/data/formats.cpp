#include "mas/data/formats.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "mas/data/idx.h"
#include "mas/data/pictures/cache.h"
#include "mas/data/pictures/decode.h"
#include "mas/data/pictures/folder.h"
#include "mas/data/pictures/kinds.h"
#include "mas/error.h"
#include "mas/io/bytes.h"
#include "mas/text.h"

namespace mas {
namespace {

namespace fs = std::filesystem;

const Format kFormats[] = {
    {"HDF5", recognise_hdf5, open_hdf5},
    {"IDX", recognise_idx, open_idx},
    {"CIFAR binary", recognise_cifar, open_cifar},
    {"a list of facts", recognise_fact_manifest, open_fact_manifest},
    {"a list of pictures", recognise_picture_list, open_picture_list},
    {"CSV", recognise_csv, open_csv},
};

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

// Names that data/fetch has a script for.
const char* const kFetched[] = {"mnist", "fashion-mnist", "cifar10", "cifar100", "flowers", "scenes",  "birds",
                                "cars",  "aircraft",      "actions", "letters",  "svhn",    "omniglot"};

bool names_column(const std::string& labels) { return labels == "first" || labels == "last"; }

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

// What labels= says of a source that may have labels of its own.
void choose_labels(Source& source, const std::string& path, const SourceRequest& request) {
  if (request.labels == "none" || !request.want_labels)
    source.has_labels = false;
  else if (!request.labels.empty() && !names_column(request.labels))
    use_label_file(source, request.labels, path, request.scratch);
}

void refuse_column(const std::string& path, const SourceRequest& request, const std::string& kind) {
  if (names_column(request.labels))
    throw Error(path, fmt::format("labels={} is for CSV, and this is {}", request.labels, kind));
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

bool is_within(const std::string& folder, const std::string& file) {
  std::error_code ignored;
  const fs::path place = fs::weakly_canonical(fs::absolute(file).parent_path(), ignored);
  const fs::path data = fs::canonical(folder, ignored);
  return std::mismatch(data.begin(), data.end(), place.begin(), place.end()).first == data.end();
}

// A layout, or a class, would take it for data.
void refuse_cache_within(const std::string& folder, const std::string& cache) {
  if (is_within(folder, cache))
    throw Error(cache, fmt::format("lies in the data's own folder, {}, and would be taken for data; name a file "
                                   "elsewhere with cache=",
                                   folder));
}

// A path that leads nowhere here, as a model's record of another folder's or machine's may: by its last name.
std::string find_moved(const std::string& source, const std::vector<std::string>& directories) {
  const fs::path path = fs::path(source).lexically_normal();
  const fs::path name = path.has_filename() ? path.filename() : path.parent_path().filename();
  if (directories.empty() || name.empty() || name == "..") throw Error(source, "no such file or folder");
  for (const auto& directory : directories) {
    std::error_code ignored;
    if (const fs::path moved = fs::path(directory) / name; fs::exists(moved, ignored)) return moved.string();
  }
  throw Error(source, fmt::format("not found, nor {} in {}; name the folder that it is in with --data-dir or MAS_DATA",
                                  name.string(), fmt::join(directories, " or ")));
}

std::string unknown_format(const File& file) {
  const std::string head = file.text(0, 4);
  if (head == "\x93NUM") return "NumPy's npy isn't read; write HDF5 with a data set /images (and /labels), see mas(7)";
  if (find_picture_kind(file.text(0, 64)))
    return "a picture; name its folder, or a list of pictures, a path and a label a line, see mas(7)";
  if (head == "PK\3\4") return "a zip archive, such as npz, isn't read; write HDF5 with a data set /images, see mas(7)";
  std::string magic;
  for (unsigned char c : head) magic += fmt::format("{:02x}", c);
  return fmt::format(
      "no format that is read: begins with {}, so not gzip, IDX, HDF5 or text, and its size {} is no "
      "multiple of 3073 (CIFAR-10) or 3074 (CIFAR-100)",
      magic, file.size());
}

}  // namespace

const std::vector<Generator>& generators() {
  static const std::vector<Generator> all = {
      {"glyphs", {"difficulty", "kinds", "samples"}, check_glyphs, open_glyphs},
      {"facts", {"batch", "difficulty", "pictures", "topic"}, check_facts, open_facts},
  };
  return all;
}

const Generator* find_generator(const std::string& name) {
  for (const auto& generator : generators())
    if (generator.name == name) return &generator;
  return nullptr;
}

std::string find_path(const std::string& source, const std::vector<std::string>& directories) {
  std::error_code ignored;
  if (fs::exists(source, ignored)) return source;
  for (const auto& directory : directories) {
    const std::string path = directory + (directory.empty() || directory.back() == '/' ? "" : "/") + source;
    if (fs::exists(path, ignored)) return path;
  }
  if (source.find('/') != std::string::npos) return find_moved(source, directories);
  std::string where = "here";
  for (const auto& directory : directories)
    where += (&directory == &directories.back() ? " or in " : ", in ") + directory;
  std::vector<std::string> names;
  for (const auto& generator : generators()) names.push_back(generator.name);
  for (const char* known : kFetched) names.emplace_back(known);
  const std::string meant = likely(source, names);
  if (!meant.empty()) throw Error(source, fmt::format("not found; did you mean {}?", meant));
  std::string fetch = "";
  for (const char* known : kFetched)
    if (source == known) fetch = fmt::format(", or fetch it with data/fetch/{}.sh", source);
  throw Error(source,
              fmt::format("not found {}; name the folder that holds it with --data-dir or MAS_DATA{}", where, fetch));
}

void check_apart_from_data(const std::string& path, const DataSpec& spec, const OpenOptions& options) {
  if (find_generator(spec.source)) return;
  const std::string source = find_path(spec.source, options.directories);
  std::error_code none;
  if (fs::is_directory(source) && find_layout(names_in(source)) && fs::exists(path, none) && is_within(source, path))
    throw Error(path, fmt::format("lies in the data's own folder, {}; name another file", source));
  std::vector<std::string> read{source};
  if (!spec.vectors.empty()) read.push_back(find_path(spec.vectors, options.directories));
  if (!spec.labels.empty()) read.push_back(spec.labels);
  for (const auto& file : read)
    if (fs::equivalent(path, file, none)) throw Error(path, "is what is read; name another file");
}

std::vector<int32_t> read_label_file(const std::string& path, const std::string& scratch) {
  const auto file = open_unpacked(path, scratch);
  if (recognise_idx(*file) != Match::kNo) return read_idx_labels(*file);
  if (recognise_csv(*file) == Match::kNo)
    throw Error(path, "no labels: neither IDX nor text with a whole number a line");
  // One column of values, read as floats: exact up to 2^24, which open_csv checks for a label column.
  SourceRequest request;
  request.labels = "none";
  request.scratch = scratch;
  Source column = open_csv(file, request);
  if (column.shape != std::vector<int64_t>{1})
    throw Error(path, fmt::format("a label file has one column, not {}", column.shape[0]));
  std::vector<int32_t> labels(static_cast<size_t>(column.rows));
  float value = 0;
  for (int64_t row = 0; row < column.rows; ++row) {
    column.read(row, &value);
    if (value < 0 || value >= 0x1p24f || value != static_cast<float>(static_cast<int32_t>(value)))
      throw Error(path, fmt::format("row {}: {} is no label, labels are whole numbers from 0", row + 1, value));
    labels[static_cast<size_t>(row)] = static_cast<int32_t>(value);
  }
  return labels;
}

void use_label_file(Source& source, const std::string& path, const std::string& data, const std::string& scratch) {
  source.has_labels = true;
  source.class_names.clear();  // of the data's own labels
  source.labels = [path, data, scratch, rows = source.rows] {
    auto labels = read_label_file(path, scratch);
    if (static_cast<int64_t>(labels.size()) != rows)
      throw Error(path, fmt::format("{} labels, but {} has {} rows", labels.size(), data, rows));
    return labels;
  };
}

Source open_file(const std::string& path, const SourceRequest& request) {
  const auto file = open_unpacked(path, request.scratch);
  const Format* chosen = nullptr;
  for (const Format& format : kFormats) {
    const Match match = format.recognise(*file);
    if (match == Match::kSurely || (match == Match::kPerhaps && !chosen)) chosen = &format;
    if (match == Match::kSurely) break;
  }
  if (!chosen) throw Error(path, unknown_format(*file));
  if (chosen->open != open_csv) refuse_column(path, request, chosen->name);
  if (!request.vectors.empty() && (chosen->open == open_csv || chosen->open == open_picture_list))
    throw Error(
        path,
        "vectors= is for lists of facts, whose first line names the columns image, subject, predicate and object");
  Source source = chosen->open(file, request);
  choose_labels(source, path, request);
  return source;
}

bool path_has_test_part(const std::string& path) {
  if (!fs::is_directory(path)) return false;
  const auto names = names_in(path);
  const Layout* layout = find_layout(names);
  return layout ? !matching(names, layout->test).empty() : picture_folder_has_test_part(path);
}

Source open_source(const DataSpec& spec, const OpenOptions& options, bool want_labels) {
  const auto refuse_cache = [&] {
    if (!spec.cache.empty()) throw Error(spec.source, "cache= is for pictures, which have to be decoded; leave it out");
  };
  const auto refuse_vectors = [&] {
    if (!spec.vectors.empty())
      throw Error(spec.source, "vectors= is for lists of facts and their own labels; leave it out");
  };
  if (const Generator* generator = find_generator(spec.source)) {
    refuse_cache();
    refuse_vectors();
    if (!spec.labels.empty() && spec.labels != "none")
      throw UsageError("labels=" + spec.labels, "a generator has its own");
    Source source = generator->open(spec);
    source.has_labels &= want_labels && spec.labels.empty();
    return source;
  }
  const std::string path = find_path(spec.source, options.directories);
  const bool wants_test = spec.split == Split::kTest && !spec.fraction;
  SourceRequest request;
  request.labels = spec.labels;
  request.want_labels = want_labels;
  request.scratch = options.scratch;
  if (!spec.cache.empty()) request.cache = wants_test ? test_cache(spec.cache) : spec.cache;
  request.make_cache = options.make_cache;
  if (want_labels && !spec.vectors.empty()) request.vectors = find_path(spec.vectors, options.directories);
  request.fit.size = spec.size;
  request.fit.square = spec.square;
  request.fit.crop = spec.crop;
  if (wants_test && !fs::is_directory(path))
    throw Error(path, "a single file has no test part; use split=0.8 here and for training, or name the test file");
  if (!spec.cache.empty() && options.make_cache && fs::is_directory(path)) refuse_cache_within(path, spec.cache);
  Source source = fs::is_directory(path) ? open_folder(path, wants_test, request) : open_file(path, request);
  if (!source.fitted) refuse_cache();
  if (want_labels && !source.class_vectors.defined()) refuse_vectors();
  return source;
}

}  // namespace mas
