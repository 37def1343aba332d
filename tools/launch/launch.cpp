// The program that users start: sets what OpenMP reads once, when a process begins, and becomes the tool itself.
// OpenMP's threads wait actively by default and then sit on the cores that OpenBLAS's threads need: on two cores the
// same training takes five times as long. OpenBLAS's threads, the other way round, ask for more work for tens of
// milliseconds after each product (here 2^18 cycles), beside OpenMP's that have some: importance of a transformer takes
// a fifth more time then. Neither a constructor nor the tool's main comes early enough to set this.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

// A file that is opened later must not become standard output or error. What stands in for a closed stream can't be
// used either, so that reading or writing it stays an error.
static void fill_closed_streams() {
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
    if (fcntl(stream, F_GETFD) < 0) open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

int main(int, char** argv) {
  fill_closed_streams();
  setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);
  setenv("OPENBLAS_THREAD_TIMEOUT", "18", /*overwrite=*/0);
  char self[PATH_MAX];
  const auto length = readlink("/proc/self/exe", self, sizeof self);
  if (length > 0 && length < static_cast<ssize_t>(sizeof self)) {
    const std::string path(self, static_cast<size_t>(length));
    const std::string tool = path.substr(0, path.rfind('/') + 1) + MAS_LIBEXEC + "/" + MAS_TOOL;
    execv(tool.c_str(), argv);
    std::fprintf(stderr, "%s: %s: %s\n", MAS_TOOL, tool.c_str(), std::strerror(errno));
  } else {
    std::fprintf(stderr, "%s: /proc is needed to find the program\n", MAS_TOOL);
  }
  return 1;
}
