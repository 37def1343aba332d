#include "common/plot_output.h"

#include <fmt/format.h>

#include "common/gnuplot.h"
#include "common/model_output.h"
#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/io/bytes.h"

namespace mas::tool {
namespace {

constexpr const char* kSize = "noenhanced size 800,500 background rgb 'white'";

// Names are text as it is: no markup. The same marks are larger in an SVG.
std::string terminal(const std::string& path) {
  const bool png = ends_with(path, ".png");
  return fmt::format("set encoding utf8\nset terminal {} {}\nset pointsize {}\n",
                     png ? "pngcairo font 'sans,11'" : "svg font 'sans-serif,13'", kSize, png ? 1.1 : 0.7);
}

}  // namespace

CLI::Option* PlotOutput::add_option(CLI::App& app, const std::string& text) {
  return app.add_option("--plot", path_, text)->type_name("FILE");
}

void PlotOutput::check() const {
  if (path_.empty()) return;
  if (!ends_with(path_, ".svg") && !ends_with(path_, ".png"))
    throw UsageError("--plot", fmt::format("must end in .svg or .png, got {}", path_));
  check_drawing_output(path_);
  run_gnuplot(terminal(path_));
}

void PlotOutput::check_apart(const std::vector<std::string>& files, const std::string& role) const {
  for (const auto& file : files)
    if (!path_.empty() && same_file(path_, file)) throw Error(path_, role + "; name another file");
}

std::string PlotOutput::draw(const std::string& commands) const {
  if (path_.empty()) return "";
  const std::string picture = run_gnuplot(terminal(path_) + commands);
  if (picture.empty()) throw Error("gnuplot", "drew nothing");
  return picture;
}

void PlotOutput::write(const std::string& picture) const {
  if (!path_.empty()) write_output(path_, picture);
}

}  // namespace mas::tool
