#pragma once
#include <cstddef>
#include <cstdint>

namespace mas {

/// Writes all bytes, at the descriptor's position or at `offset`. Returns 0 or the errno of what failed: also where the
/// system would raise SIGPIPE (nobody reads the pipe) or SIGXFSZ (a file beyond its limit), which would end the
/// process.
int write_all(int descriptor, const void* bytes, size_t count);
int write_all_at(int descriptor, const void* bytes, size_t count, int64_t offset);

/// Makes the file that long and takes room for it, so that a full disk is known before the work; on file systems that
/// can't, the limit of the process is still asked. Returns 0 or an errno.
int reserve(int descriptor, int64_t bytes);

}  // namespace mas
