#include "common/model_output.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "mas/error.h"

namespace mas::tool {

void check_writable(const std::string& path) {
  namespace fs = std::filesystem;
  if (path == "-") return;
  if (path.empty()) throw UsageError("-o", "the name is empty");
  struct stat status;
  const bool exists = stat(path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT && errno != ENOTDIR) throw Error(path, std::strerror(errno));
  if (exists && S_ISDIR(status.st_mode)) throw Error(path, "is a directory");
  if (exists && access(path.c_str(), W_OK) != 0) throw Error(path, std::strerror(errno));
  if (exists && !S_ISREG(status.st_mode)) return;  // a device or a pipe is written straight
  const auto folder = fs::path(path).parent_path();
  const std::string where = folder.empty() ? "." : folder.string();
  if (access(where.c_str(), W_OK | X_OK) != 0) {
    throw Error(path, errno == ENOENT ? "the folder doesn't exist" : std::strerror(errno));
  }
}

void ModelOutput::add_option(CLI::App& app) {
  app.add_option("-o,--output", path_, "model file to write (standard output, unless that is a terminal)")
      ->type_name("FILE");
}

void ModelOutput::check() {
  if (path_.empty() || path_ == "/dev/stdout") path_ = "-";
  if (path_ == "-" && isatty(STDOUT_FILENO)) {
    throw UsageError("standard output", "is a terminal, and a model isn't text; use -o FILE or a pipe");
  }
  check_writable(path_);
}

void ModelOutput::write(const ModelFile& model) const { write_model(model, path_); }

}  // namespace mas::tool
