#pragma once
#include <cstdio>
#include <string>
#include <vector>

#include "common/tool.h"
#include "mas/io/model_file.h"

namespace mas::tool {

/// Where a tool's model goes: -o, or standard output where that is no terminal.
class ModelOutput {
 public:
  void add_option(CLI::App& app);
  /// Before any work: throws UsageError where a model would go to a terminal, and Error where the file can't be
  /// written, or is the cache of `data`, specs that are read. `model`: the MODEL that is read.
  void check(const std::string& model, const std::vector<std::string>& data = {});
  void write(const ModelFile& model) const;
  bool is_standard_output() const { return path_ == "-"; }
  /// Where reports go: standard error when the model is on standard output.
  std::FILE* report() const { return is_standard_output() ? stderr : stdout; }

 private:
  std::string path_;
};

/// Whether both names lead to one file, which need not be there yet.
bool same_file(const std::string& a, const std::string& b);

/// check_output(), and a file that is there is replaced by its own kind only: a slip of the fingers that names a data
/// set as -o, or a model as a picture, must not cost it. The very file that is read as MODEL is one, or nothing will be
/// written. Throws Error.
void check_model_output(const std::string& path, const std::string& model = "");
void check_other_output(const std::string& path);
/// The same of a drawing, which replaces drawings alone: an SVG or a PNG, by what the file holds, which a link may lead
/// to.
void check_drawing_output(const std::string& path);

/// Throws Error where an output is a file that one of the specs has as its cache=, of either part.
void check_apart_from_caches(const std::string& path, const std::vector<std::string>& specs);

/// Whether a model file that was read can be written anew under its name: not what came through a pipe, or can only be
/// read.
bool can_be_rewritten(const std::string& path);

}  // namespace mas::tool
