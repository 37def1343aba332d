#pragma once
#include <memory>
#include <string>
#include <vector>

#include "mas/data/dataset.h"
#include "mas/data/file.h"
#include "mas/data/source.h"
#include "mas/data/spec.h"

namespace mas {

/// What a format's open() is told.
struct SourceRequest {
  std::string labels;                    ///< the spec's labels=
  bool want_labels = true;               ///< false: labels are left unread, whatever they are
  std::string scratch = "/tmp";          ///< folder of temporary files
  DataSpec fit;                          ///< size and crop, for what has no size of its own
  std::string cache;                     ///< file that holds pictures decoded; empty: none
  bool make_cache = true;                ///< where it isn't there
  std::string vectors;                   ///< file with vectors of facts' words; empty: none
  std::vector<std::string> class_names;  ///< the training part's, for a list of pictures of another part
};

enum class Match { kNo, kPerhaps, kSurely };

/// A kind of file that is recognised by its content.
struct Format {
  const char* name;
  Match (*recognise)(const File& file);
  /// Throws Error naming the file and the cause.
  Source (*open)(const std::shared_ptr<File>& file, const SourceRequest& request);
};

/// A source that is made, not read: named in a spec like a file.
struct Generator {
  std::string name;
  std::vector<std::string> keys;  ///< the spec keys that it alone knows
  /// Throws UsageError for a value that can't be.
  void (*check)(const std::string& key, const std::string& value);
  Source (*open)(const DataSpec& spec);
};

const std::vector<Generator>& generators();
const Generator* find_generator(const std::string& name);  ///< null: no such generator

/// Opens a file by its content. Throws Error.
Source open_file(const std::string& path, const SourceRequest& request);

/// The path that a spec's source stands for: itself, or below one of the directories. Throws Error.
std::string find_path(const std::string& source, const std::vector<std::string>& directories);

/// The source and the part (train or test) that the spec names: a generator, a path, or a name in the directories.
Source open_source(const DataSpec& spec, const OpenOptions& options, bool want_labels);

// One line for each in formats.cpp.
Match recognise_hdf5(const File& file);
Source open_hdf5(const std::shared_ptr<File>& file, const SourceRequest& request);
Match recognise_idx(const File& file);
Source open_idx(const std::shared_ptr<File>& file, const SourceRequest& request);
Match recognise_cifar(const File& file);
Source open_cifar(const std::shared_ptr<File>& file, const SourceRequest& request);
Match recognise_csv(const File& file);
Source open_csv(const std::shared_ptr<File>& file, const SourceRequest& request);
Match recognise_fact_manifest(const File& file);
Source open_fact_manifest(const std::shared_ptr<File>& file, const SourceRequest& request);
Match recognise_picture_list(const File& file);
Source open_picture_list(const std::shared_ptr<File>& file, const SourceRequest& request);
void check_glyphs(const std::string& key, const std::string& value);
Source open_glyphs(const DataSpec& spec);
void check_facts(const std::string& key, const std::string& value);
Source open_facts(const DataSpec& spec);

}  // namespace mas
