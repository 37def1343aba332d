#include "common/model_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "mas/data/pictures/cache.h"
#include "mas/data/spec.h"
#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/io/bytes.h"
#include "mas/io/digest.h"
#include "mas/io/pytorch_file.h"

namespace mas::tool {

namespace fs = std::filesystem;

namespace {

// Up to so many.
std::string first_bytes(const std::string& path, size_t count) {
  std::string head(count, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), static_cast<std::streamsize>(count));
  head.resize(static_cast<size_t>(file.gcount()));
  return head;
}

bool is_drawing(std::string_view head) {
  const bool is_xml = starts_with(head, "<?xml") || starts_with(head, "<svg");
  return starts_with(head, "\x89PNG\r\n\x1a\n") || (is_xml && head.find("<svg") != std::string_view::npos);
}

}  // namespace

bool same_file(const std::string& a, const std::string& b) {
  std::error_code none;
  if (a.empty() || b.empty()) return false;
  const auto path = [&](const std::string& name) { return fs::weakly_canonical(fs::absolute(name), none); };
  return fs::equivalent(a, b, none) || path(a) == path(b);
}

void check_model_output(const std::string& path, const std::string& model) {
  check_output(path);
  std::error_code none;
  if (path == "-" || !fs::is_regular_file(path, none) || fs::file_size(path, none) == 0) return;
  // A plain HDF5 file that another program made has nothing that tells it from data; a TorchScript module has.
  if (is_model_file(path) || (same_file(path, model) && !is_zip(first_bytes(path, 4)))) return;
  throw Error(path, "is there and isn't a model file; remove it first, or name another");
}

bool can_be_rewritten(const std::string& path) {
  std::error_code none;
  if (!fs::is_regular_file(path, none)) return false;
  try {
    check_model_output(path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

void check_other_output(const std::string& path) {
  check_output(path);
  std::error_code none;
  if (path == "-" || !fs::is_regular_file(path, none)) return;  // to look into a pipe would take from it
  if (is_model_file(path)) throw Error(path, "is a model file; remove it first, or name another");
}

void check_drawing_output(const std::string& path) {
  check_other_output(path);
  std::error_code none;
  if (path == "-" || !fs::is_regular_file(path, none)) return;
  const std::string head = first_bytes(path, 4096);
  if (!head.empty() && !is_drawing(head))
    throw Error(path, "is there and isn't a drawing (SVG or PNG); remove it first, or name another");
}

void check_apart_from_caches(const std::string& path, const std::vector<std::string>& specs) {
  for (const auto& spec : specs) {
    const auto cache = DataSpec::parse(spec).cache;
    if (!cache.empty() && (same_file(path, cache) || same_file(path, test_cache(cache))))
      throw Error(path, fmt::format("is the cache of {}; name another file", spec));
  }
}

void ModelOutput::add_option(CLI::App& app) {
  app.add_option("-o,--output", path_, "model file to write (standard output, unless that is a terminal)")
      ->type_name("FILE");
}

void ModelOutput::check(const std::string& model, const std::vector<std::string>& data) {
  if (path_.empty() || path_ == "/dev/stdout") path_ = "-";
  if (path_ == "-" && isatty(STDOUT_FILENO)) {
    throw UsageError("standard output", "is a terminal, and a model isn't text; use -o FILE or a pipe");
  }
  check_model_output(path_, model);
  check_apart_from_caches(path_, data);
}

void ModelOutput::write(const ModelFile& model) const { write_model(model, path_); }

}  // namespace mas::tool
