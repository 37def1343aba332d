#include "mas/data/file.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

TEST_CASE("what a temporary file has no room for is an error and no signal") {
  Folder folder;
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    mas::Spool spool(folder.path(), "x.gz");
    const std::string bytes(2000, 'x');
    try {
      spool.write(bytes.data(), 2000);
      spool.finish();
    } catch (const mas::Error& error) {
      _exit(contains(error.what(), "x.gz: can't unpack it in " + folder.path() + ": file too large") ? 7 : 2);
    }
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
}
