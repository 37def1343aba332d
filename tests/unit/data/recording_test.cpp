#include "mas/data/recording.h"

#include "unit/io/scratch.h"
#include "unit/memory_dataset.h"

using namespace mas;
using test::Scratch;

TEST_CASE("a recording holds what each row gave, in whatever order it is asked for") {
  auto data = MemoryDataset::clouds(50, 3, 2, 1);
  const Scratch folder;
  const std::vector<int64_t> rows{1, 4, 5, 20, 33, 48, 49};
  const auto outputs = [](const at::Tensor& x) { return at::cat({x * 2, x.sum(1, true)}, 1); };
  const Recording recording(data, rows, 3, 4, outputs, folder / "", "outputs");
  CHECK(folder.files() == 0);
  const std::vector<int64_t> asked{49, 1, 20, 1};
  CHECK(recording.of(asked).equal(outputs(data.images(asked))));
}

TEST_CASE("a recording that finds no place says so") {
  auto data = MemoryDataset::clouds(50, 3, 2, 1);
  const auto record = [&] {
    Recording(
        data, {0, 1}, 3, 3, [](const at::Tensor& x) { return x; }, "/nowhere", "outputs");
  };
  const std::string want =
      "/nowhere: can't keep data there: no such file or directory; name another folder with TMPDIR";
  CHECK(test::error_of(record) == want);
  CHECK(test::error_of([] { Recording::check_room(2, 3, "/nowhere", "outputs"); }) == want);
}
