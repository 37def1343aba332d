#include "mas/io/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

namespace {

using mas::test::contains;
using mas::test::error_of;
using mas::test::get;
using mas::test::put;
using mas::test::Scratch;

/// Runs `work` in a child and returns its exit status; 99: it threw something that is no Error.
int in_child(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    int status = 99;
    try {
      status = work();
    } catch (...) {
    }
    _exit(status);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

mode_t mode(const std::string& path) {
  struct stat status;
  stat(path.c_str(), &status);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("a file is written and read whole, zeros and all") {
  const Scratch scratch;
  const std::string bytes("a\0b\n", 4);
  mas::write_output(scratch / "f", bytes);
  CHECK(mas::read_input(scratch / "f") == bytes);
  CHECK(mas::read_block(scratch / "f")->view() == bytes);
  mas::write_output(scratch / "f", "");
  CHECK(mas::read_input(scratch / "f").empty());
  CHECK(scratch.files() == 1);
}

TEST_CASE("a full disk leaves the old file and nothing else") {
  const Scratch scratch;
  put(scratch / "f", "old");
  const int status = in_child([&] {
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    return contains(error_of([&] { mas::write_output(scratch / "f", std::string(5000, 'x')); }), "f: file too large")
               ? 7
               : 1;
  });
  CHECK(status == 7);
  CHECK(get(scratch / "f") == "old");
  CHECK(scratch.files() == 1);
  CHECK(error_of([] { mas::write_output("/dev/full", "x"); }) == "/dev/full: no space left on device");
}

TEST_CASE("targets that can't be written are named with the cause") {
  const Scratch scratch;
  CHECK(error_of([&] { mas::write_output(scratch / "no/f", "x"); }) ==
        scratch / "no/f" + ": the folder " + (scratch / "no") + " doesn't exist");
  CHECK(contains(error_of([&] { mas::write_output(scratch / "", "x"); }), "is a directory, expected a file"));
  mkdir((scratch / "d").c_str(), 0755);
  CHECK(contains(error_of([&] { mas::write_output(scratch / "d", "x"); }), "d: is a directory, expected a file"));
  CHECK(contains(error_of([&] { mas::write_output(scratch / std::string(300, 'n'), "x"); }), "name too long"));
  CHECK(scratch.files() == 1);
}

TEST_CASE("permissions of the target are kept, those of a new file are the umask's") {
  const Scratch scratch;
  put(scratch / "old", "x");
  chmod((scratch / "old").c_str(), 0640);
  mas::write_output(scratch / "old", "y");
  CHECK(mode(scratch / "old") == 0640);
  const mode_t before = umask(027);
  mas::write_output(scratch / "new", "y");
  umask(before);
  CHECK(mode(scratch / "new") == 0640);
}

TEST_CASE("a symbolic link stays and its target is replaced, also when that doesn't exist yet") {
  const Scratch scratch;
  symlink("real", (scratch / "link").c_str());
  mas::write_output(scratch / "link", "one");
  CHECK(get(scratch / "real") == "one");
  mas::write_output(scratch / "link", "two");
  CHECK(get(scratch / "real") == "two");
  CHECK(std::filesystem::is_symlink(scratch / "link"));
  symlink("loop", (scratch / "loop").c_str());
  CHECK(contains(error_of([&] { mas::write_output(scratch / "loop", "x"); }), "loop: "));
}

TEST_CASE("devices and named pipes are written straight") {
  const Scratch scratch;
  mas::write_output("/dev/null", "x");
  CHECK(std::filesystem::is_character_file("/dev/null"));
  REQUIRE(mkfifo((scratch / "pipe").c_str(), 0600) == 0);
  std::string received;
  std::thread reader([&] { received = mas::read_input(scratch / "pipe"); });
  const std::string bytes(300000, 'p');  // more than a pipe holds
  mas::write_output(scratch / "pipe", bytes);
  reader.join();
  CHECK(received == bytes);
  std::shared_ptr<mas::Block> block;
  reader = std::thread([&] { block = mas::read_block(scratch / "pipe"); });
  mas::write_output(scratch / "pipe", std::vector<std::string_view>{bytes, "and", "", " more"});
  reader.join();
  CHECK(block->view() == bytes + "and more");
  CHECK(std::filesystem::is_fifo(scratch / "pipe"));
}

TEST_CASE("a reader that went away is a BrokenPipe, not a signal") {
  const int status = in_child([] {
    int ends[2];
    if (pipe(ends) < 0) return 1;
    close(ends[0]);
    dup2(ends[1], STDOUT_FILENO);
    try {
      mas::write_output("-", "x");
    } catch (const mas::BrokenPipe&) {
      sigset_t pending;
      sigpending(&pending);
      return sigismember(&pending, SIGPIPE) ? 2 : 7;
    }
    return 3;
  });
  CHECK(status == 7);
}

TEST_CASE("standard output that is full is an Error") {
  const int status = in_child([] {
    dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO);
    return error_of([] { mas::write_output("-", "x"); }) == "standard output: no space left on device" ? 7 : 1;
  });
  CHECK(status == 7);
}

TEST_CASE("inputs that can't be read are named with the cause") {
  const Scratch scratch;
  CHECK(error_of([&] { mas::read_input(scratch / "f"); }) == scratch / "f" + ": no such file or directory");
  CHECK(error_of([&] { mas::read_input(scratch / ""); }) == scratch / "" + ": is a directory");
  const int status = in_child([] {
    close(STDIN_FILENO);
    return contains(error_of([] { mas::read_input("-"); }), "standard input: bad file descriptor") ? 7 : 1;
  });
  CHECK(status == 7);
}

TEST_CASE("a replacement takes the target's place on commit, with its permissions, and is gone without") {
  const Scratch scratch;
  put(scratch / "f", "old");
  chmod((scratch / "f").c_str(), 0640);
  {
    mas::Replacement replacement(scratch / "f");
    replacement.write(0, "half", 4);
    CHECK(scratch.files() == 1);  // nor would a killed process have left anything
  }
  CHECK(get(scratch / "f") == "old");
  CHECK(scratch.files() == 1);
  mas::Replacement replacement(scratch / "f");
  replacement.reserve(5000);
  replacement.write(2, "w", 1);
  replacement.write(0, "ne", 2);
  CHECK(get(scratch / "f") == "old");
  replacement.commit();
  CHECK(get(scratch / "f") == "new");
  CHECK(mode(scratch / "f") == 0640);
  CHECK(scratch.files() == 1);
  CHECK(error_of([] { mas::Replacement("/dev/null"); }) == "/dev/null: isn't a regular file");
}

TEST_CASE("a replacement of nothing doesn't replace what came meanwhile") {
  const Scratch scratch;
  mas::Replacement replacement(scratch / "f");
  replacement.write(0, "new", 3);
  put(scratch / "f", "mine");
  CHECK(error_of([&] { replacement.commit(); }) ==
        scratch / "f" + ": came into being meanwhile, and isn't replaced; name another file");
  CHECK(get(scratch / "f") == "mine");
}

TEST_CASE("room that isn't there, and a write beyond the limit, are errors and no signals") {
  const Scratch scratch;
  const int status = in_child([&] {
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    mas::Replacement replacement(scratch / "f");
    const std::string bytes(2000, 'x');
    const bool told =
        contains(error_of([&] { replacement.reserve(2000); }), "f: file too large") &&
        contains(error_of([&] { replacement.write(0, bytes.data(), bytes.size()); }), "f: file too large");
    return told ? 7 : 1;
  });
  CHECK(status == 7);
  CHECK(scratch.files() == 0);
}

TEST_CASE("what a process of the same number left behind is in nobody's way") {
  const Scratch scratch;
  const int status = in_child([&] {
    for (int i = 0; i < 100; ++i)
      put(scratch / (".f." + std::to_string(getpid()) + "-" + std::to_string(i) + ".tmp"), "");
    mas::write_output(scratch / "f", "new");
    return 7;
  });
  CHECK(status == 7);
  CHECK(get(scratch / "f") == "new");
  CHECK(scratch.files() == 101);
}

TEST_CASE("no more of an input is read than its beginning calls for") {
  const Scratch scratch;
  put(scratch / "f", std::string(10000, 'a'));
  const auto read = [&](const std::string& path, size_t most) {
    return mas::read_input(path,
                           [&](const std::string& head) {
                             CHECK(head.size() <= mas::kInputHead);
                             return most;
                           })
        .size();
  };
  CHECK(read(scratch / "f", 5000) == 5000);
  CHECK(read(scratch / "f", 20000) == 10000);
  CHECK(read("/dev/zero", 3000000) == 3000000);
  put(scratch / "short", "abc");
  CHECK(read(scratch / "short", 5000) == 3);
}
