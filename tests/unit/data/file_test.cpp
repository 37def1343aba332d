#include "mas/data/file.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

// Whether a spool in a process whose files have a limit of 1000 bytes fails by an error that says so.
template <typename Work>
bool fails_at_the_limit(const Work& work) {
  Folder folder;
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    mas::Spool spool(folder.path(), "x.gz");
    try {
      work(spool);
    } catch (const mas::Error& error) {
      _exit(contains(error.what(), "x.gz: can't be kept in " + folder.path() + ": file too large") ? 7 : 2);
    }
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

}  // namespace

TEST_CASE("what a temporary file has no room for is an error and no signal") {
  CHECK(fails_at_the_limit([](mas::Spool& spool) {
    const std::string bytes(2000, 'x');
    spool.write(bytes.data(), 2000);
    spool.finish();
  }));
  CHECK(fails_at_the_limit([](mas::Spool& spool) { spool.reserve(2000); }));
}

TEST_CASE("what is written to a spool with room taken for more is what it holds") {
  Folder folder;
  mas::Spool spool(folder.path(), "x");
  spool.reserve(100);
  spool.write("abc", 3);
  const auto file = spool.finish();
  CHECK(file->size() == 3);
  CHECK(file->text(0, 10) == "abc");
}
