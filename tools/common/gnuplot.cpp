#include "common/gnuplot.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/io/bytes.h"
#include "mas/io/write.h"
#include "mas/line.h"
#include "mas/text.h"

namespace mas::tool {
namespace {

[[noreturn]] void fail(int code) { throw Error("gnuplot", system_error_text(code)); }

// A file without a name: unlike a pipe it takes all that is written, so that neither side waits for the other.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("gnuplot", MFD_CLOEXEC)) {
    if (descriptor_ < 0) fail(errno);
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int descriptor() const { return descriptor_; }
  void fill(const std::string& text) {
    if (const int code = write_all_at(descriptor_, text.data(), text.size(), 0)) fail(code);
  }
  std::string content() const { return read_input(fmt::format("/proc/self/fd/{}", descriptor_)); }

 private:
  int descriptor_;
};

// A user's choice of a terminal, which may be none that is there, ends it before it reads a command.
std::vector<char*> environment() {
  std::vector<char*> variables;
  for (char** variable = environ; *variable; variable++)
    if (!starts_with(*variable, "GNUTERM=")) variables.push_back(*variable);
  variables.push_back(nullptr);
  return variables;
}

pid_t start(const MemoryFile& in, const MemoryFile& out, const MemoryFile& err) {
  posix_spawn_file_actions_t streams;
  posix_spawn_file_actions_init(&streams);
  posix_spawn_file_actions_adddup2(&streams, in.descriptor(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&streams, out.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&streams, err.descriptor(), STDERR_FILENO);
  // It doesn't look whether it could write: a picture beyond the limit of files would be cut in silence.
  sigset_t fatal;
  sigemptyset(&fatal);
  sigaddset(&fatal, SIGXFSZ);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigdefault(&attributes, &fatal);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  std::string name = "gnuplot", no_start_up_files = "-d";
  char* const arguments[] = {name.data(), no_start_up_files.data(), nullptr};
  pid_t child = 0;
  const int code = posix_spawnp(&child, arguments[0], &streams, &attributes, arguments, environment().data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&streams);
  if (code == ENOENT) throw Error("--plot", "needs gnuplot, which isn't installed (apt-get install gnuplot-nox)");
  if (code != 0) fail(code);
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) fail(errno);
  }
  return status;
}

// Above the cause it repeats the command.
std::string last_line(const std::string& text) {
  std::string last;
  for (const auto& line : cut(text, '\n')) {
    const size_t begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos) last = line.substr(begin);
  }
  return last;
}

// Bytes that go on with a character which began before them.
bool goes_on(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

std::string shortened(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  const std::string gap = "…";
  size_t begin = 2 * (most - gap.size()) / 3, end = text.size() - (most - gap.size() - begin);
  while (begin > 0 && goes_on(text[begin])) begin--;
  while (end < text.size() && goes_on(text[end])) end++;
  return text.substr(0, begin) + gap + text.substr(end);
}

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

}  // namespace

std::string run_gnuplot(const std::string& commands) {
  MemoryFile in, out, err;
  in.fill(commands);
  const int status = wait_for(start(in, out, err));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return out.content();
  const std::string said = last_line(err.content());
  throw Error("gnuplot", !said.empty() ? said
                         : WIFSIGNALED(status)
                             ? fmt::format("ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)))
                             : fmt::format("failed with status {}", WEXITSTATUS(status)));
}

std::string gnuplot_string(const std::string& text, size_t most) {
  std::string quoted = harmless_line(text);
  if (!is_utf8(quoted)) {
    for (char& c : quoted)
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  quoted = shortened(quoted, most);
  // What XML doesn't allow, and gnuplot leaves as it is in an SVG.
  for (const char* never : {"\xef\xbf\xbe", "\xef\xbf\xbf"}) replace_all(quoted, never, "?");
  replace_all(quoted, "]]>", "]] >");
  replace_all(quoted, "'", "''");
  return "'" + quoted + "'";
}

std::string gnuplot_tic(const std::string& text) {
  std::string label = gnuplot_string(text, 24);  // gnuplot cuts a label with a % after 50 bytes
  replace_all(label, "%", "%%");
  return label;
}

}  // namespace mas::tool
