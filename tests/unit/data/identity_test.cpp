#include "mas/data/identity.h"

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

std::string identity(const std::string& text, bool want_labels = true) {
  mas::OpenOptions options;
  options.want_labels = want_labels;
  const auto spec = mas::DataSpec::parse(text);
  return mas::identity_of(*mas::open_dataset(spec, options), spec, options);
}

}  // namespace

TEST_CASE("data are told from others by their number, values and labels") {
  Folder folder;
  const auto path = folder.write("a.csv", "1,2,0\n3,4,1\n");
  const auto before = identity(path);
  CHECK(before.rfind("2 x 2, values ", 0) == 0);
  CHECK(contains(before, ", labels "));
  CHECK(before == identity(path));
  CHECK(before == identity(path + ",normalize=auto"));
  CHECK(before.rfind(identity(path, false), 0) == 0);
  for (const char* other : {"1,2,0\n3,5,1\n", "1,2,0\n3,4,2\n", "1,2,0\n3,4,1\n3,4,1\n"})
    CHECK(identity(folder.write("b.csv", other)) != before);
}
