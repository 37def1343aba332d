#pragma once
#include <string>
#include <vector>

#include "common/tool.h"

namespace mas::tool {

/// Where a tool's drawing goes: --plot.
class PlotOutput {
 public:
  CLI::Option* add_option(CLI::App& app, const std::string& text);
  /// Before any work: throws UsageError where the file's name has neither ending, and Error where the file can't be
  /// written or gnuplot can't draw such a file.
  void check() const;
  /// Throws Error where one of these files is the same; `role`: "is what is read".
  void check_apart(const std::vector<std::string>& files, const std::string& role) const;
  /// The picture that these commands of gnuplot draw; nothing without --plot.
  std::string draw(const std::string& commands) const;
  void write(const std::string& picture) const;

 private:
  std::string path_;
};

}  // namespace mas::tool
