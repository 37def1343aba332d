#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "mas/data/dataset.h"

namespace mas::tool {

/// Exit statuses, as each man page states them.
enum Status { kDone = 0, kFailed = 1, kUsage = 2, kUnmet = 3 };

/// Options that all tools share.
struct CommonOptions {
  int threads = 0;  ///< 0: as many as the cores that the process may use
  std::string device = "cpu";
  std::string progress = "auto";
  bool quiet = false;
  std::vector<std::string> data_directories;

  /// Where data names are looked up: --data-dir, $MAS_DATA, ~/.local/share/mas.
  OpenOptions open_options() const;
};

/// Adds them; `data`: also --data-dir.
void add_common_options(CLI::App& app, CommonOptions& options, bool data = true);

/// A number from `least` to `most`; CLI::Range lets nan through.
CLI::Validator between(double least, double most);
/// A whole number in decimal without zeros in front, which CLI11 alone would take as octal, or wrap.
CLI::Validator whole(uint64_t least, uint64_t most);
/// One of these words.
CLI::Validator one_of(std::vector<std::string> words);

/// As many threads for LibTorch's loops and for matrix products: OpenBLAS doesn't ask LibTorch how many.
void use_threads(int count);

/// glibc maps every block above 32 MB anew and gives freed memory back; both cost more than the arithmetic of a large
/// batch. From here on such blocks are kept and reused.
void keep_memory();

/// The one place that parses, calls the work and turns exceptions into a line on standard error and an exit status.
/// `work` returns the status of a run that didn't fail.
int run_tool(CLI::App& app, int argc, char** argv, CommonOptions& options, const std::function<int()>& work);

}  // namespace mas::tool
