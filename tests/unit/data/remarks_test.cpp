#include "mas/data/remarks.h"

#include "unit/memory_dataset.h"

namespace {

std::vector<std::string> remarks(const at::Tensor& images) {
  MemoryDataset data(images, at::zeros({images.size(0)}, at::kLong));
  return mas::remarks_on(data, "x.h5");
}

}  // namespace

TEST_CASE("images that are stored in an unusual way get a remark") {
  CHECK(remarks(at::rand({4, 3, 8, 8})).empty());
  CHECK(remarks(at::randn({100, 1, 8, 8}) + 1).empty());
  CHECK(remarks(at::full({4, 64}, 16.0)).empty());  // rows of a table
  const auto large = remarks(at::full({4, 3, 8, 8}, 255.0));
  REQUIRE(large.size() == 1);
  CHECK(large[0] ==
        "x.h5: values up to 255, where images usually have 0 to 1; pixels of 0 to 255 are best stored as uint8");
  const auto last = remarks(at::rand({4, 8, 9, 3}));
  REQUIRE(last.size() == 1);
  CHECK(last[0] == "x.h5: images of 8 x 9 x 3 are 8 channels of 9 x 3; write channels first if they are last");
}
