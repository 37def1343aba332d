#include "common/print.h"

#include <cerrno>

#include "mas/io/atomic_file.h"
#include "mas/text.h"

namespace mas::tool {
namespace {

int output_failure = 0;  // the first errno of standard output: later ones may have other causes

void note_failure(std::FILE* out, bool failed) {
  if (failed && out == stdout && output_failure == 0) output_failure = errno != 0 ? errno : EIO;
}

}  // namespace

void print_text(std::FILE* out, const std::string& text) {
  errno = 0;
  note_failure(out, std::fwrite(text.data(), 1, text.size(), out) != text.size());
}

void print_report(std::FILE* out, const std::string& text) { print_text(out, harmless(text)); }

void print_json(std::FILE* out, const nlohmann::json& json) {
  print_text(out, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void flush(std::FILE* out) {
  errno = 0;
  note_failure(out, std::fflush(out) != 0);
}

void flush_reports() {
  flush(stdout);
  if (output_failure == EPIPE) throw BrokenPipe("standard output", "closed");
  if (output_failure != 0) throw Error("standard output", system_error_text(output_failure));
}

}  // namespace mas::tool
