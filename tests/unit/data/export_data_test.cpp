#include "mas/data/export_data.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

size_t files_in(const Folder& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

}  // namespace

TEST_CASE("what is written as HDF5 or CSV reads back bit for bit") {
  for (const char* spec :
       {"glyphs,samples=300", "glyphs,samples=300,rotate=33,normalize=0.13:0.31", "glyphs,samples=60,labels=none"}) {
    CAPTURE(spec);
    Folder folder;
    const auto data = open(spec);
    const auto expected = data->images(all_rows(*data));
    mas::export_hdf5(*data, folder / "a.h5");
    mas::export_csv(*data, folder / "a.csv");
    CHECK(files_in(folder) == 2);
    CHECK(at::equal(images(folder / "a.h5"), expected));
    const std::string csv = (folder / "a.csv") + (data->has_labels() ? "" : ",labels=none");
    CHECK(at::equal(images(csv).reshape(expected.sizes()), expected));
    CHECK(open(folder / "a.h5")->has_labels() == data->has_labels());
    if (!data->has_labels()) continue;
    CHECK(at::equal(labels(folder / "a.h5"), data->labels(all_rows(*data))));
    CHECK(at::equal(labels(csv), data->labels(all_rows(*data))));
  }
}

TEST_CASE("bytes stay bytes in HDF5") {
  Folder folder;
  mas::export_hdf5(*open("glyphs,samples=60"), folder / "bytes.h5");
  mas::export_hdf5(*open("glyphs,samples=60,normalize=0:1"), folder / "floats.h5");
  CHECK((open(folder / "bytes.h5")->stored_type() == at::kByte));
  CHECK((open(folder / "floats.h5")->stored_type() == at::kFloat));
  CHECK(bytes_of(folder / "bytes.h5").size() < 60 * 784 + 10000);
}

TEST_CASE("equal data give equal bytes") {
  Folder folder;
  for (const char* name : {"a", "b"}) mas::export_hdf5(*open("glyphs,samples=60"), folder / name);
  CHECK(bytes_of(folder / "a") == bytes_of(folder / "b"));
}

TEST_CASE("a failed export leaves the old file and nothing else") {
  Folder folder;
  const auto path = folder.write("out.h5", "old");
  const auto data = open("glyphs,samples=60");
  const auto fail = [](int64_t, int64_t) { throw mas::Error("out", "stopped"); };
  CHECK_THROWS_AS(mas::export_hdf5(*data, path, fail), mas::Error);
  CHECK_THROWS_AS(mas::export_csv(*data, path, fail), mas::Error);
  CHECK(bytes_of(path) == "old");
  CHECK(files_in(folder) == 1);
  CHECK_THROWS_WITH_AS(mas::export_csv(*data, folder / "none/out"), doctest::Contains("none/out: the folder"),
                       mas::Error);
}

TEST_CASE("a disk without room is an error before a sample is read, and a file beyond the limit is no signal") {
  Folder folder;
  const auto data = open("glyphs,samples=60");
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{20000, 20000};
    setrlimit(RLIMIT_FSIZE, &limit);
    int told = 0;
    const auto count = [&](int64_t, int64_t) { told = 100; };
    for (const auto& [name, write] : {std::pair{"a.h5", mas::export_hdf5}, std::pair{"a.csv", mas::export_csv}}) {
      try {
        write(*data, folder / name, name == std::string("a.h5") ? mas::ExportProgress(count) : mas::ExportProgress());
      } catch (const mas::Error& error) {
        told += error.what() == (folder / name) + ": file too large";
      }
    }
    _exit(told);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 2);
  CHECK(files_in(folder) == 0);
}
