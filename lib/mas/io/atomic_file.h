#pragma once
#include <memory>
#include <string>

#include "mas/error.h"

namespace mas {

/// Nobody reads what is written: the other end of a pipe is closed. The tools end quietly on it.
class BrokenPipe : public Error {
 public:
  using Error::Error;
};

/// All bytes of a file, or of standard input for "-". Throws Error naming it: missing, a directory, no permission, ...
std::string read_input(const std::string& path);

/// Writes `bytes` to a file, or to standard output for "-", in full or not at all as far as the target allows:
/// - a regular or new file is written under no or another name in the same directory, synced and renamed; after a
/// failure
///   the old file is there unchanged and nothing else. Its permissions are kept; a new one gets the umask's;
/// - a symbolic link stays, the file that it leads to is replaced;
/// - a device or a named pipe, and standard output, are written straight.
/// Throws Error naming the target (no such directory, no space left, ...), BrokenPipe when a pipe's reader is gone.
void write_output(const std::string& path, const std::string& bytes);

/// Throws what write_output() would before it writes, as far as that can be told without writing: for the start of long
/// work.
void check_output(const std::string& path);

/// The same for a writer that needs a named file and many writes: they go to temporary(), which commit() renames.
class Replacement {
 public:
  /// Makes an empty file beside the target. Throws Error; also where the target is a device or a pipe.
  explicit Replacement(const std::string& path);
  /// Without commit(), the temporary file is gone and the target as it was.
  ~Replacement();
  std::string temporary() const;
  /// Syncs, and takes the target's place. Throws Error.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// How "-" is called in messages.
std::string input_name(const std::string& path);
std::string output_name(const std::string& path);

}  // namespace mas
