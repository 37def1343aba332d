#include "mas/io/block.h"

#include "unit/doctest_torch.h"

namespace {

bool aligned(mas::Block& block) { return reinterpret_cast<uintptr_t>(block.data()) % 64 == 0; }

}  // namespace

TEST_CASE("a block keeps its bytes when it grows and shrinks, and is aligned at any size") {
  mas::Block block(std::string_view("abc"));
  CHECK(aligned(block));
  block.resize(size_t{20} << 20);
  CHECK(aligned(block));
  CHECK(block.view().substr(0, 3) == "abc");
  block.data()[block.size() - 1] = 'z';
  block.resize(2);
  CHECK(block.view() == "ab");
  CHECK(mas::Block().view().empty());
}
