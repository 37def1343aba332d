#include "mas/io/rehearsal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <new>
#include <system_error>

#include "mas/error.h"

namespace mas {
namespace {

// The child's answer is one of these and a text; no answer means that it died.
constexpr char kSound = 's';
constexpr char kRefused = 'r';  // the text is a whole message
constexpr char kFailed = 'f';   // the text is a cause without its subject
constexpr char kMemory = 'm';

int64_t address_space() {
  long pages = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return int64_t{pages} * sysconf(_SC_PAGESIZE);
}

void lower_limit(decltype(RLIMIT_AS) which, rlim_t to) {
  rlimit limit;
  if (getrlimit(which, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? to : std::min(to, limit.rlim_max);
  setrlimit(which, &limit);
}

void confine(pid_t parent, const RehearsalLimits& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGINT, SIGTERM, SIGALRM}) {
    ::signal(signal, SIG_DFL);
  }
  ::signal(SIGPIPE, SIG_IGN);
  // A corrupted heap makes glibc print; that is not for the user.
  const int null = open("/dev/null", O_RDWR);
  if (null >= 0) {
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
  }
  lower_limit(RLIMIT_CORE, 0);
  lower_limit(RLIMIT_CPU, static_cast<rlim_t>(limits.seconds_cpu));
  if (const int64_t now = address_space()) lower_limit(RLIMIT_AS, static_cast<rlim_t>(now + limits.memory));
}

[[noreturn]] void answer(int to, char kind, const std::string& text) {
  const std::string message = kind + text;
  for (size_t done = 0; done < message.size();) {
    const ssize_t n = write(to, message.data() + done, message.size() - done);
    if (n < 0 && errno != EINTR) break;
    if (n > 0) done += static_cast<size_t>(n);
  }
  _exit(0);  // without destructors and exit handlers: those are the parent's
}

[[noreturn]] void run_child(int to, const std::function<void()>& read) {
  try {
    read();
  } catch (const Error& error) {
    answer(to, kRefused, error.what());
  } catch (const std::bad_alloc&) {
    answer(to, kMemory, "");
  } catch (const std::exception& error) {
    answer(to, kFailed, error.what());
  }
  answer(to, kSound, "");
}

// Reads until the child closes the pipe. False: time is up.
bool collect(int from, std::chrono::steady_clock::time_point deadline, std::string& message) {
  char buffer[4096];
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd wait{from, POLLIN, 0};
    const int ready = poll(&wait, 1, static_cast<int>(std::min<int64_t>(left.count(), 1 << 30)));
    if (ready <= 0) continue;
    const ssize_t n = ::read(from, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return true;
    message.append(buffer, static_cast<size_t>(n));
  }
}

}  // namespace

RehearsalLimits RehearsalLimits::for_size(int64_t bytes) {
  RehearsalLimits limits;
  limits.memory += 8 * bytes;
  limits.seconds_cpu += static_cast<int>(std::min<int64_t>(bytes / (20 << 20), 1 << 20));
  limits.seconds_wall += 10 * (limits.seconds_cpu - 5);
  return limits;
}

void rehearse(const std::string& name, const std::function<void()>& read, const RehearsalLimits& limits) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0)
    throw Error(name, "no child process to check it: " + std::generic_category().message(errno));
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) {
    const int code = errno;
    close(ends[0]);
    close(ends[1]);
    throw Error(name, "no child process to check it: " + std::generic_category().message(code));
  }
  if (child == 0) {
    close(ends[0]);
    confine(parent, limits);
    run_child(ends[1], read);
  }
  close(ends[1]);
  std::string message;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(limits.seconds_wall);
  const bool in_time = collect(ends[0], deadline, message);
  close(ends[0]);
  if (!in_time) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (in_time && !message.empty()) {
    if (message[0] == kSound) return;
    if (message[0] == kRefused) throw Error(message.substr(1));
    if (message[0] == kFailed) throw Error(name, message.substr(1));
    throw Error(name, "damaged: reading it takes far more memory than its size explains");
  }
  const bool hangs = !in_time || (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL));
  throw Error(name, hangs ? "damaged: reading it never ends" : "damaged: reading it crashes");
}

}  // namespace mas
