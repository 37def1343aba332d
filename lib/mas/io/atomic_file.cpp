#include "mas/io/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "mas/text.h"

namespace mas {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& name, int code) {
  if (code == EPIPE) throw BrokenPipe(name, "nobody reads it any more");
  throw Error(name, system_error_text(code));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
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

// A signal raised by our own write would end the process before it can say anything or clean up: SIGPIPE for a pipe,
// SIGXFSZ for a file beyond its limit. Blocked in this thread, the write returns an error; the pending signal is then
// taken away.
class WriteSignals {
 public:
  WriteSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGPIPE);
    sigaddset(&set_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  WriteSignals(const WriteSignals&) = delete;
  ~WriteSignals() {
    const int code = errno;
    const timespec now{0, 0};
    while (raised_ && sigtimedwait(&set_, nullptr, &now) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = code;
  }
  void raised() { raised_ = true; }

 private:
  sigset_t set_, before_;
  bool raised_ = false;
};

void write_all(int fd, const std::string& bytes, const std::string& name) {
  constexpr size_t kStep = size_t{1} << 30;  // Linux writes at most 2 GiB at a time
  WriteSignals signals;
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = write(fd, bytes.data() + done, std::min(bytes.size() - done, kStep));
    if (n >= 0) {
      done += static_cast<size_t>(n);
    } else if (errno != EINTR) {
      if (errno == EPIPE || errno == EFBIG) signals.raised();
      fail(name, errno);
    }
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

void fill(int fd, const Target& target, const std::string& bytes) {
  write_all(fd, bytes, target.name);
  complete(fd, target);
}

// Without a name until it is complete, so that even a killed process leaves nothing. False: not possible here.
bool prepare_unnamed(const Target& target, const fs::path& temporary, const std::string& bytes) {
  Descriptor file(open(target.directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  if (file < 0) return false;
  fill(file, target, bytes);
  const std::string self = "/proc/self/fd/" + std::to_string(file);
  if (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) < 0) return false;
  return true;
}

void prepare_named(const Target& target, const fs::path& temporary, const std::string& bytes) {
  Descriptor file(open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666));
  if (file < 0) fail(target.name, errno);
  try {
    fill(file, target, bytes);
    file.close_checked(target.name);
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
}

void rename_over(const fs::path& temporary, const Target& target) {
  if (rename(temporary.c_str(), target.path.c_str()) < 0) {
    const int code = errno;
    unlink(temporary.c_str());
    fail(target.name, code);
  }
  const Descriptor directory(open(target.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory >= 0) sync(directory, target.name);
}

void replace(const Target& target, const std::string& bytes) {
  const fs::path temporary = beside(target.path);
  if (!prepare_unnamed(target, temporary, bytes)) prepare_named(target, temporary, bytes);
  rename_over(temporary, target);
}

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
    if (!target.exists && !fs::is_directory(target.directory)) {
      throw Error(path, "the folder " + target.directory.string() + " doesn't exist");
    }
  }
  if (target.exists && S_ISDIR(target.status.st_mode)) throw Error(path, "is a directory, expected a file");
  if (target.exists && access(target.path.c_str(), W_OK) < 0) fail(path, errno);
  return target;
}

void write_straight(const Target& target, const std::string& bytes) {
  Descriptor file(open(target.path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file < 0) fail(target.name, errno);
  write_all(file, bytes, target.name);
  file.close_checked(target.name);
}

std::string read_all(int fd, const std::string& name) {
  constexpr size_t kStep = size_t{1} << 20;
  struct stat status;
  if (fstat(fd, &status) < 0) fail(name, errno);
  if (S_ISDIR(status.st_mode)) fail(name, EISDIR);
  std::string bytes;
  // One more byte than the file has: the read that finds its end then needs no larger buffer.
  size_t room = S_ISREG(status.st_mode) ? static_cast<size_t>(status.st_size) + 1 : kStep;
  size_t done = 0;
  for (;;) {
    bytes.resize(room);
    while (done < room) {
      const ssize_t n = read(fd, &bytes[done], std::min(room - done, size_t{1} << 30));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(name, errno);
      if (n == 0) {
        bytes.resize(done);
        return bytes;
      }
      done += static_cast<size_t>(n);
    }
    room = std::max(room + kStep, room + room / 2);
  }
}

}  // namespace

std::string input_name(const std::string& path) { return path == "-" ? "standard input" : path; }
std::string output_name(const std::string& path) { return path == "-" ? "standard output" : path; }

std::string read_input(const std::string& path) {
  if (path == "-") return read_all(STDIN_FILENO, input_name(path));
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file < 0) fail(path, errno);
  return read_all(file, path);
}

struct Replacement::Impl {
  Target target;
  fs::path temporary;
  bool committed = false;
};

Replacement::Replacement(const std::string& path) : impl_(new Impl) {
  impl_->target = locate(path);
  if (impl_->target.exists && !S_ISREG(impl_->target.status.st_mode)) throw Error(path, "isn't a regular file");
  impl_->temporary = beside(impl_->target.path);
  const Descriptor file(open(impl_->temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666));
  if (file < 0) fail(path, errno);
}

Replacement::~Replacement() {
  if (!impl_->committed) unlink(impl_->temporary.c_str());
}

std::string Replacement::temporary() const { return impl_->temporary.string(); }

void Replacement::commit() {
  const Target& target = impl_->target;
  Descriptor file(open(impl_->temporary.c_str(), O_WRONLY | O_CLOEXEC));
  if (file < 0) fail(target.name, errno);
  complete(file, target);
  file.close_checked(target.name);
  rename_over(impl_->temporary, target);
  impl_->committed = true;
}

void check_output(const std::string& path) {
  if (path == "-") return;
  const Target target = locate(path);
  if (target.exists && !S_ISREG(target.status.st_mode)) return;
  if (access(target.directory.c_str(), W_OK | X_OK) < 0) fail(path, errno);
}

void write_output(const std::string& path, const std::string& bytes) {
  if (path == "-") return write_all(STDOUT_FILENO, bytes, output_name(path));
  const Target target = locate(path);
  if (target.exists && !S_ISREG(target.status.st_mode)) return write_straight(target, bytes);
  replace(target, bytes);
}

}  // namespace mas
