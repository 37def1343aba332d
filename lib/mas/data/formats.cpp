#include "mas/data/formats.h"

#include <filesystem>

#include <fmt/format.h>

#include "mas/data/folder_parts.h"
#include "mas/data/label_file.h"
#include "mas/data/pictures/cache.h"
#include "mas/data/pictures/kinds.h"
#include "mas/error.h"
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

// Names that data/fetch has a script for.
const char* const kFetched[] = {"mnist", "fashion-mnist", "cifar10", "cifar100", "flowers", "scenes",  "birds",
                                "cars",  "aircraft",      "actions", "letters",  "svhn",    "omniglot"};

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

// With its first line, where that may have been meant to name columns.
std::string kind_of(const Format& format, const File& file) {
  if (format.open != open_csv && format.open != open_picture_list) return format.name;
  const std::string head = file.text(0, 256);
  return fmt::format("{} that begins with {}", format.name, printable(head.substr(0, head.find('\n'))));
}

[[noreturn]] void refuse_vectors(const std::string& path, const std::string& kind) {
  throw Error(path, fmt::format("vectors= is for lists of facts, whose first line names the columns image, subject, "
                                "predicate and object, and this is {}",
                                kind));
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
  if (fs::is_directory(source) && fs::exists(path, none) && has_parts(source) && is_within(source, path))
    throw Error(path, fmt::format("lies in the data's own folder, {}; name another file", source));
  std::vector<std::string> read{source};
  if (!spec.vectors.empty()) read.push_back(find_path(spec.vectors, options.directories));
  if (!spec.labels.empty()) read.push_back(spec.labels);
  for (const auto& file : read)
    if (fs::equivalent(path, file, none)) throw Error(path, "is what is read; name another file");
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
  if (!request.vectors.empty() && chosen->open != open_fact_manifest) refuse_vectors(path, kind_of(*chosen, *file));
  Source source = chosen->open(file, request);
  choose_labels(source, path, request);
  return source;
}

Source open_source(const DataSpec& spec, const OpenOptions& options, bool want_labels) {
  const auto refuse_cache = [&] {
    if (!spec.cache.empty()) throw Error(spec.source, "cache= is for pictures, which have to be decoded; leave it out");
  };
  if (const Generator* generator = find_generator(spec.source)) {
    refuse_cache();
    if (!spec.vectors.empty()) refuse_vectors(spec.source, "a generator");
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
    throw Error(path,
                "a single file has no test part; split=0.8 in training keeps a share for it, or name another file "
                "(mas-eval --data)");
  if (!spec.cache.empty() && options.make_cache && fs::is_directory(path) && is_within(path, spec.cache))
    throw Error(spec.cache, fmt::format("lies in the data's own folder, {}, and would be taken for data; name a file "
                                        "elsewhere with cache=",
                                        path));
  Source source = fs::is_directory(path) ? open_folder(path, wants_test, request) : open_file(path, request);
  if (!source.fitted) refuse_cache();
  if (want_labels && !spec.vectors.empty() && !source.class_vectors.defined()) {
    if (!spec.labels.empty())
      throw Error(path, "vectors= is for facts, and labels= takes others; leave one of them out");
    refuse_vectors(path, "a folder of pictures");
  }
  return source;
}

}  // namespace mas
