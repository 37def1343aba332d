#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace mas {

/// What a rehearsed read may use up before it counts as damaged.
struct RehearsalLimits {
  int64_t memory = int64_t{1} << 30;  ///< bytes beyond what the process has already
  int seconds_cpu = 5;                ///< an endless loop ends here
  int seconds_wall = 60;              ///< a lock that never opens ends here

  /// Limits that a sound file of this many bytes stays well within.
  static RehearsalLimits for_size(int64_t bytes);
};

/// Runs `read` in a forked child, because libhdf5 and LibTorch crash or hang on some damaged files. Returns when it
/// succeeded: the caller then does the same read itself. An exception thrown by `read` arrives here as Error with the
/// same text; a child that crashes, hangs or runs out of memory gives Error(name, "damaged: ...").
///
/// The child has only the calling thread. `read` may use HDF5, malloc and plain C++, but no at:: functions that
/// compute, no OpenMP and no other thread, and must not be called while another thread is inside HDF5. What it prints
/// is lost.
void rehearse(const std::string& name, const std::function<void()>& read, const RehearsalLimits& limits = {});

}  // namespace mas
