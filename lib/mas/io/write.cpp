#include "mas/io/write.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace mas {
namespace {

// A signal raised by our own write would end the process before it can say anything or clean up. Blocked in this
// thread, the write returns an error; the pending signal is then taken away.
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
    const timespec now{0, 0};
    while (raised_ && sigtimedwait(&set_, nullptr, &now) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  int failed(int code) {
    raised_ = code == EPIPE || code == EFBIG;
    return code;
  }

 private:
  sigset_t set_, before_;
  bool raised_ = false;
};

template <typename Write>
int write_steps(const void* bytes, size_t count, const Write& write) {
  constexpr size_t kStep = size_t{1} << 30;  // Linux writes at most 2 GiB at a time
  WriteSignals signals;
  for (size_t done = 0; done < count;) {
    const ssize_t n = write(static_cast<const char*>(bytes) + done, std::min(count - done, kStep), done);
    if (n >= 0) {
      done += static_cast<size_t>(n);
    } else if (errno != EINTR) {
      return signals.failed(errno);
    }
  }
  return 0;
}

}  // namespace

int write_all(int descriptor, const void* bytes, size_t count) {
  return write_steps(bytes, count, [&](const char* from, size_t n, size_t) { return write(descriptor, from, n); });
}

int write_all_at(int descriptor, const void* bytes, size_t count, int64_t offset) {
  return write_steps(bytes, count, [&](const char* from, size_t n, size_t done) {
    return pwrite(descriptor, from, n, offset + static_cast<int64_t>(done));
  });
}

int reserve(int descriptor, int64_t bytes) {
  WriteSignals signals;
  int code = 0;
  do {
    code = bytes > 0 && fallocate(descriptor, 0, 0, bytes) < 0 ? errno : 0;
  } while (code == EINTR);
  const bool unable = code == EOPNOTSUPP || code == ENOSYS || code == EINVAL;
  if (unable) code = ftruncate(descriptor, bytes) < 0 ? errno : 0;
  return signals.failed(code);
}

}  // namespace mas
