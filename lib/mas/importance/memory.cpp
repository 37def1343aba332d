#include "mas/importance/memory.h"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "mas/error.h"
#include "mas/text.h"

namespace mas {

int64_t parse_bytes(const std::string& text, const std::string& option) {
  const std::string units = "KMGT";
  const size_t unit = text.empty() ? std::string::npos : units.find(text.back());
  const std::string digits = text.substr(0, text.size() - (unit != std::string::npos));
  int64_t bytes = 0;
  bool sound = parse_number(digits, bytes) && bytes > 0;
  for (size_t i = 0; unit != std::string::npos && i <= unit; i++)
    sound = sound && !__builtin_mul_overflow(bytes, 1024, &bytes);
  if (!sound) throw UsageError(option, fmt::format("must be a size such as 4G or 500M, got {}", text));
  return bytes;
}

int64_t free_memory() {
  int64_t free = 0;
  std::ifstream file("/proc/meminfo");
  for (std::string name, rest; file >> name; std::getline(file, rest)) {
    if (name == "MemAvailable:" && file >> free) free *= 1024;
  }
  // A container may be allowed less.
  int64_t most = 0, used = 0;
  const bool bounded = std::ifstream("/sys/fs/cgroup/memory.max") >> most &&
                       std::ifstream("/sys/fs/cgroup/memory.current") >> used;  // "max" is no number
  return bounded ? std::clamp<int64_t>(most - used, 0, free) : free;
}

int64_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  int64_t all = 0, resident = 0;
  return file >> all >> resident ? resident * sysconf(_SC_PAGESIZE) : 0;
}

void trim_memory() { malloc_trim(0); }

int64_t memory_of_passes(int64_t memory, const NamedTensors& parameters) {
  constexpr int64_t kBytesAParameter = 2 * 8 + 3 * 4 + 8 + 4;  // sums, result; panels, copy, weight; both in the file
  int64_t fixed = 0;
  for (const auto& [name, value] : parameters) fixed += value.numel() * kBytesAParameter;
  if (memory > fixed) return memory - fixed;
  throw UsageError("--memory", fmt::format("too little: beside what the program has by now, the parameters' importance "
                                           "alone takes {} MB, and {} MB are left",
                                           (fixed >> 20) + 1, std::max<int64_t>(0, memory >> 20)));
}

}  // namespace mas
