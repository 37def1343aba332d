#pragma once
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "mas/error.h"

namespace mas::fuzz {

// What takes memory because a header says so dies at this.
[[maybe_unused]] inline const bool kLimited = [] {
  const rlimit memory{rlim_t{8} << 30, rlim_t{8} << 30};
  return setrlimit(RLIMIT_AS, &memory) == 0;
}();

/// A descriptor of a file in memory that holds these bytes.
inline int file_of(const uint8_t* bytes, size_t size) {
  const int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
  if (descriptor < 0 || write(descriptor, bytes, size) != static_cast<ssize_t>(size)) std::abort();
  return descriptor;
}

/// Aborts where the message isn't one line.
inline void check_message(const Error& error) {
  const std::string text = error.what();
  if (text.empty() || text.find('\n') != std::string::npos) std::abort();
}

}  // namespace mas::fuzz
