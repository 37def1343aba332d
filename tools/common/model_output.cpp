#include "common/model_output.h"

#include <unistd.h>

#include "mas/error.h"
#include "mas/io/atomic_file.h"

namespace mas::tool {

void ModelOutput::add_option(CLI::App& app) {
  app.add_option("-o,--output", path_, "model file to write (standard output, unless that is a terminal)")
      ->type_name("FILE");
}

void ModelOutput::check() {
  if (path_.empty() || path_ == "/dev/stdout") path_ = "-";
  if (path_ == "-" && isatty(STDOUT_FILENO)) {
    throw UsageError("standard output", "is a terminal, and a model isn't text; use -o FILE or a pipe");
  }
  check_output(path_);
}

void ModelOutput::write(const ModelFile& model) const { write_model(model, path_); }

}  // namespace mas::tool
