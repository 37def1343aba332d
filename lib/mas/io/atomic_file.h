#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mas/error.h"
#include "mas/io/block.h"

namespace mas {

/// Nobody reads what is written: the other end of a pipe is closed. The tools end quietly on it.
class BrokenPipe : public Error {
 public:
  using Error::Error;
};

/// Bytes that an InputLimit is shown.
constexpr size_t kInputHead = 4096;
/// Says from the input's first kInputHead bytes (all, where there are fewer) how many are to be read at most.
using InputLimit = std::function<size_t(const std::string& head)>;

/// All bytes of a file, or of standard input for "-"; with a limit no more than that, so that neither an endless stream
/// nor a huge file takes memory before it is looked at. Throws Error naming it: missing, a directory, no permission,
/// ...
std::string read_input(const std::string& path, const InputLimit& limit = {});
/// The same into memory that tensors may share.
std::shared_ptr<Block> read_block(const std::string& path, const InputLimit& limit = {});

/// Writes `bytes` to a file, or to standard output for "-", in full or not at all as far as the target allows:
/// - a regular or new file is written without a name (or, where the file system can't do that, under another one in the
///   same directory), synced and renamed; after a failure the old file is there unchanged and nothing else. Its
///   permissions are kept; a new one gets the umask's;
/// - a symbolic link stays, the file that it leads to is replaced;
/// - a device or a named pipe, and standard output, are written straight.
/// Throws Error naming the target (no such directory, no space left, ...), BrokenPipe when a pipe's reader is gone.
void write_output(const std::string& path, const std::string& bytes);
/// The same for bytes that lie in several places.
void write_output(const std::string& path, const std::vector<std::string_view>& pieces);

/// Throws what write_output() would before it writes, as far as that can be told without writing: for the start of long
/// work.
void check_output(const std::string& path);

/// The same for a writer of many pieces, which only commit() puts in the target's place. That may be hours later: a
/// file that has come there meanwhile, where there was none, stays.
class Replacement {
 public:
  /// Throws Error; also where the target is a device or a pipe.
  explicit Replacement(const std::string& path);
  /// Without commit(), the target is as it was.
  ~Replacement();
  /// Takes room for a file of so many bytes, where the file system can: throws Error where there is none.
  void reserve(int64_t bytes);
  /// What no write covers is zeros. Throws Error.
  void write(int64_t offset, const void* bytes, size_t count);
  /// Ends the file behind the last byte written, syncs it, and takes the target's place. Throws Error.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// How "-" is called in messages.
std::string input_name(const std::string& path);
std::string output_name(const std::string& path);

}  // namespace mas
