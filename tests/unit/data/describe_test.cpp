#include "mas/data/describe.h"

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

TEST_CASE("a description has what LibTorch computes over the whole set") {
  Folder folder;
  std::string values;
  for (int i = 0; i < 5 * 3 * 4 * 2; ++i) values += static_cast<char>(i * 53);
  folder.write("a-labels-idx1-ubyte", idx({5}, {2, 0, 2, 2, 7}));
  const auto path = folder.write("a-images-idx4-ubyte", idx({5, 3, 4, 2}, values));
  const auto data = open(path);
  const auto all = data->images(all_rows(*data)).to(at::kDouble);
  int64_t progressed = 0;
  const auto found = mas::describe(*data, [&](int64_t done, int64_t total) {
    progressed = done;
    CHECK(total == 5);
  });
  CHECK(progressed == 5);
  CHECK(found.samples == 5);
  CHECK(found.shape == std::vector<int64_t>{3, 4, 2});
  CHECK((found.type == at::kByte));
  CHECK(found.first_labels == std::vector<int64_t>{2, 0, 2, 2, 7});
  REQUIRE(found.classes.size() == 3);
  CHECK(found.classes[1].label == 2);
  CHECK(found.classes[1].samples == 3);
  CHECK(found.mean == doctest::Approx(all.mean().item<double>()).epsilon(1e-12));
  CHECK(found.deviation == doctest::Approx(all.std(false).item<double>()).epsilon(1e-12));
  CHECK(found.min == all.min().item<double>());
  CHECK(found.max == all.max().item<double>());
  REQUIRE(found.channel_mean.size() == 3);
  CHECK(found.channel_mean[2] == doctest::Approx(all.select(1, 2).mean().item<double>()).epsilon(1e-12));
  CHECK(found.channel_deviation[0] == doctest::Approx(all.select(1, 0).std(false).item<double>()).epsilon(1e-12));
}

TEST_CASE("a set without labels is described without classes") {
  Folder folder;
  const auto data = open(folder.write("x", idx({2, 3}, "abcdef")));
  const auto found = mas::describe(*data);
  CHECK_FALSE(found.has_labels);
  CHECK(found.classes.empty());
  CHECK(found.first_labels.empty());
  CHECK(found.channel_mean.empty());
}
