#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "common/tool.h"

namespace mas::tool {

/// A bar on standard error that is redrawn at most ten times a second and wiped when the work is done.
class Progress {
 public:
  Progress(const CommonOptions& options, std::string what);
  ~Progress() { clear(); }
  void operator()(int64_t done, int64_t total);
  /// Wipes the bar, so that a line can be printed; the next call draws it again.
  void clear();

 private:
  std::string what_;
  bool shown_, drawn_ = false;
  std::chrono::steady_clock::time_point begin_, last_;
};

}  // namespace mas::tool
