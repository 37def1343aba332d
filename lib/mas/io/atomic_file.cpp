#include "mas/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <system_error>
#include <utility>

#include "mas/io/write.h"
#include "mas/text.h"

namespace mas {
namespace {

namespace fs = std::filesystem;
using Pieces = std::vector<std::string_view>;

[[noreturn]] void fail(const std::string& name, int code) {
  if (code == EPIPE) throw BrokenPipe(name, "nobody reads it any more");
  throw Error(name, system_error_text(code));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  operator int() const { return fd_; }
  /// Some file systems report a failed write only here.
  void close_checked(const std::string& name) {
    const int fd = fd_;
    fd_ = -1;
    if (close(fd) < 0 && errno != EINTR) fail(name, errno);
  }

 private:
  int fd_;
};

void write_or_fail(int fd, const Pieces& pieces, const std::string& name) {
  for (const std::string_view piece : pieces) {
    if (const int code = write_all(fd, piece.data(), piece.size())) fail(name, code);
  }
}

void sync(int fd, const std::string& name) {
  // Not every file system can; what can't be synced isn't thereby lost.
  if (fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS) fail(name, errno);
}

// Follows symbolic links also when the last one leads to a file that isn't there yet.
fs::path follow(fs::path path, const std::string& name) {
  constexpr int kMost = 40;  // as Linux
  std::error_code error;
  for (int i = 0; i < kMost; ++i) {
    if (!fs::is_symlink(fs::symlink_status(path, error))) return path;
    const fs::path to = fs::read_symlink(path, error);
    if (error) fail(name, error.value());
    path = to.is_absolute() ? to : path.parent_path() / to;
  }
  fail(name, ELOOP);
}

// A name beside the target that nobody has: short enough whatever the target is called.
fs::path beside(const fs::path& target) {
  static std::atomic<unsigned> counter{0};
  return target.parent_path() / ("." + target.filename().string().substr(0, 200) + "." + std::to_string(getpid()) +
                                 "-" + std::to_string(counter++) + ".tmp");
}

struct Target {
  fs::path path;
  fs::path directory;
  std::string name;  // for messages
  bool exists = false;
  struct stat status = {};
};

// Like the file that it will replace.
void complete(int fd, const Target& target) {
  if (target.exists) {
    struct stat own;
    if (fstat(fd, &own) == 0 && (own.st_uid != target.status.st_uid || own.st_gid != target.status.st_gid)) {
      // Only root may give a file away; who may replace a file but not give it away becomes its owner.
      if (fchown(fd, target.status.st_uid, target.status.st_gid) < 0) errno = 0;
    }
    if (fchmod(fd, target.status.st_mode & 0777) < 0) fail(target.name, errno);
  }
  sync(fd, target.name);
}

// Gives a file a name that nobody has; else the errno. Not every file system does that in one step.
int rename_to_new(const fs::path& from, const fs::path& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  struct stat status;
  if (lstat(to.c_str(), &status) == 0) return EEXIST;
  return rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

// What is to take the target's place: without a name until it is complete, so that even a killed process leaves
// nothing; where the file system can't do that, under another name in the same folder.
class Draft {
 public:
  explicit Draft(Target target) : target_(std::move(target)), file_(open_unnamed(target_.directory)) {
    if (file_ >= 0) return;
    take_name([&](const fs::path& path) {
      file_ = Descriptor(open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666));
      return file_ >= 0;
    });
  }
  ~Draft() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  int descriptor() const { return file_; }
  const std::string& name() const { return target_.name; }

  // `only_known`: not in the place of what nobody had looked at when this began.
  void commit(bool only_known = false) {
    complete(file_, target_);
    if (path_.empty()) {
      const std::string self = own_name(file_);
      take_name([&](const fs::path& path) {
        return linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0;
      });
    }
    file_.close_checked(target_.name);
    if (only_known && !target_.exists) {
      const int code = rename_to_new(path_, target_.path);
      if (code == EEXIST) throw Error(target_.name, "came into being meanwhile, and isn't replaced; name another file");
      if (code != 0) fail(target_.name, code);
    } else if (rename(path_.c_str(), target_.path.c_str()) < 0) {
      fail(target_.name, errno);
    }
    path_.clear();
    const Descriptor directory(open(target_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory >= 0) sync(directory, target_.name);
  }

 private:
  static std::string own_name(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

  // It gets its name through /proc in the end.
  static Descriptor open_unnamed(const fs::path& directory) {
    Descriptor file(open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
    return file >= 0 && access(own_name(file).c_str(), F_OK) == 0 ? std::move(file) : Descriptor(-1);
  }

  // `make` makes a file of a name. One that is there belongs to somebody else, or to a killed process that had the same
  // number, as happens in containers.
  template <typename Make>
  void take_name(const Make& make) {
    constexpr int kMost = 10000;
    for (int i = 0; i < kMost; ++i) {
      const fs::path path = beside(target_.path);
      if (make(path)) {
        path_ = path;
        return;
      }
      if (errno != EEXIST) break;
    }
    fail(target_.name, errno);
  }

  Target target_;
  Descriptor file_;
  fs::path path_;  // its name; empty as long as it has none
};

// Where a path leads, after the checks that need no writing.
Target locate(const std::string& path) {
  Target target;
  target.name = path;
  if (path.empty()) throw Error("output", "the file's name is empty");
  // Before links are followed: those of /proc/self/fd, which /dev/stdout leads to, name no path.
  if (stat(path.c_str(), &target.status) == 0 && !S_ISREG(target.status.st_mode) && !S_ISDIR(target.status.st_mode)) {
    target.path = path;
    target.exists = true;
  } else {
    target.path = follow(path, path);
    if (target.path.filename().empty()) throw Error(path, "is a directory, expected a file");
    target.directory = target.path.has_parent_path() ? target.path.parent_path() : fs::path(".");
    target.exists = stat(target.path.c_str(), &target.status) == 0;
    if (!target.exists && errno != ENOENT) fail(path, errno);
    std::error_code none;
    if (!target.exists && !fs::is_directory(target.directory, none)) {
      throw Error(path, "the folder " + target.directory.string() + " doesn't exist");
    }
  }
  if (target.exists && S_ISDIR(target.status.st_mode)) throw Error(path, "is a directory, expected a file");
  if (target.exists && access(target.path.c_str(), W_OK) < 0) fail(path, errno);
  return target;
}

void write_straight(const Target& target, const Pieces& pieces) {
  Descriptor file(open(target.path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file < 0) fail(target.name, errno);
  write_or_fail(file, pieces, target.name);
  file.close_checked(target.name);
}

// Reads on until `bytes` has `most` of them or the input ends. `room`: how many are expected.
template <typename Bytes>
void read_up_to(int fd, size_t most, size_t room, Bytes& bytes, const std::string& name) {
  constexpr size_t kStep = size_t{1} << 20, kAtOnce = size_t{1} << 30;
  for (size_t done = bytes.size(); done < most; room = std::max(room + kStep, room + room / 2)) {
    room = std::min(room, most);
    bytes.resize(room);
    while (done < room) {
      const ssize_t n = read(fd, bytes.data() + done, std::min(room - done, kAtOnce));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(name, errno);
      if (n == 0) return bytes.resize(done);
      done += static_cast<size_t>(n);
    }
  }
}

template <typename Bytes>
void read_all(int fd, const std::string& name, const InputLimit& limit, Bytes& bytes) {
  struct stat status;
  if (fstat(fd, &status) < 0) fail(name, errno);
  if (S_ISDIR(status.st_mode)) fail(name, EISDIR);
  size_t most = SIZE_MAX / 4;
  if (limit) {
    read_up_to(fd, kInputHead, kInputHead, bytes, name);
    most = limit(std::string(bytes.data(), bytes.size()));
    bytes.resize(std::min(bytes.size(), most));
  }
  // One more byte than the file has: the read that finds its end then needs no larger buffer.
  const size_t room = S_ISREG(status.st_mode) ? static_cast<size_t>(status.st_size) + 1 : 0;
  try {
    read_up_to(fd, most, std::max(room, bytes.size() + kInputHead), bytes, name);
  } catch (const std::bad_alloc&) {
    throw Error(name, "not enough memory to read it");
  }
}

template <typename Bytes>
void read_path(const std::string& path, const InputLimit& limit, Bytes& bytes) {
  if (path == "-") return read_all(STDIN_FILENO, input_name(path), limit, bytes);
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file < 0) fail(path, errno);
  read_all(file, path, limit, bytes);
}

}  // namespace

std::string input_name(const std::string& path) { return path == "-" ? "standard input" : path; }
std::string output_name(const std::string& path) { return path == "-" ? "standard output" : path; }

std::string read_input(const std::string& path, const InputLimit& limit) {
  std::string bytes;
  read_path(path, limit, bytes);
  return bytes;
}

std::shared_ptr<Block> read_block(const std::string& path, const InputLimit& limit) {
  auto bytes = std::make_shared<Block>();
  read_path(path, limit, *bytes);
  return bytes;
}

struct Replacement::Impl {
  Draft draft;
  int64_t end = 0;  // of what was written
};

Replacement::Replacement(const std::string& path) {
  Target target = locate(path);
  if (target.exists && !S_ISREG(target.status.st_mode)) throw Error(path, "isn't a regular file");
  impl_.reset(new Impl{Draft(std::move(target))});
}

Replacement::~Replacement() = default;

void Replacement::reserve(int64_t bytes) {
  if (const int code = mas::reserve(impl_->draft.descriptor(), bytes)) fail(impl_->draft.name(), code);
}

void Replacement::write(int64_t offset, const void* bytes, size_t count) {
  if (const int code = write_all_at(impl_->draft.descriptor(), bytes, count, offset)) fail(impl_->draft.name(), code);
  impl_->end = std::max(impl_->end, offset + static_cast<int64_t>(count));
}

void Replacement::commit() {
  if (ftruncate(impl_->draft.descriptor(), impl_->end) < 0) fail(impl_->draft.name(), errno);
  impl_->draft.commit(/*only_known=*/true);
}

void check_output(const std::string& path) {
  if (path == "-") return;
  const Target target = locate(path);
  if (target.exists && !S_ISREG(target.status.st_mode)) return;
  if (access(target.directory.c_str(), W_OK | X_OK) < 0) fail(path, errno);
}

void write_output(const std::string& path, const std::string& bytes) { write_output(path, Pieces{bytes}); }

void write_output(const std::string& path, const Pieces& pieces) {
  if (path == "-") return write_or_fail(STDOUT_FILENO, pieces, output_name(path));
  const Target target = locate(path);
  if (target.exists && !S_ISREG(target.status.st_mode)) return write_straight(target, pieces);
  Draft draft(target);
  write_or_fail(draft.descriptor(), pieces, draft.name());
  draft.commit();
}

}  // namespace mas
