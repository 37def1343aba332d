#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace mas {

/// A regular file open for reading at any offset, from any thread. Errors name the path it was opened as.
class File {
 public:
  /// Throws Error: no such file, not a regular file, no permission.
  explicit File(const std::string& path);
  File(int descriptor, std::string name, int64_t size) : descriptor_(descriptor), name_(std::move(name)), size_(size) {}
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& name() const { return name_; }
  /// A path by which this process opens this very file again, whatever has become of its name.
  std::string own_path() const;
  int64_t size() const { return size_; }
  /// Exactly `count` bytes from `offset`. Throws Error where the file is shorter.
  void read(int64_t offset, int64_t count, void* out) const;
  /// Up to `count` bytes from `offset`; what is there.
  std::string text(int64_t offset, int64_t count) const;

 private:
  int descriptor_;
  std::string name_;
  int64_t size_;
};

/// A temporary file without a name: written once from front to back, then read through finish().
class Spool {
 public:
  /// `folder`: where it lies; `name`: what errors call it. Throws Error.
  Spool(const std::string& folder, std::string name);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  /// Takes room for so many bytes, so that a full disk is known before the work that makes them.
  void reserve(int64_t bytes);
  void write(const void* bytes, int64_t count);
  int64_t size() const { return size_; }
  /// Bytes that the folder's file system still has room for.
  int64_t room() const;
  std::shared_ptr<File> finish();

 private:
  void flush();
  [[noreturn]] void fail(int code) const;
  int descriptor_ = -1;
  std::string folder_, name_, buffer_;
  int64_t size_ = 0;
};

/// The file, or what it unpacks to where it is gzip (by its first bytes): inflated once into a Spool in `scratch`.
/// Several members and zero bytes after the last are valid; a cut stream, a wrong checksum and other bytes at the end
/// are an Error. What begins as IDX is inflated to the length its header gives and no further; anything else to at
/// most 200 times the packed size. Also refuses empty files, Git LFS pointers and web pages by name.
std::shared_ptr<File> open_unpacked(const std::string& path, const std::string& scratch);

}  // namespace mas
