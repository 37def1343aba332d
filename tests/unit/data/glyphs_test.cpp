#include <set>

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

uint64_t fnv(const at::Tensor& images) {
  const auto bytes = (images * 255).round().to(at::kByte).contiguous();
  uint64_t hash = 0xcbf29ce484222325u;
  for (int64_t i = 0; i < bytes.numel(); ++i) hash = (hash ^ bytes.data_ptr<uint8_t>()[i]) * 0x100000001b3u;
  return hash;
}

}  // namespace

TEST_CASE("glyphs are the same bytes on every machine") {
  CHECK(fnv(images("glyphs,limit=50")) == 15979569811397484870u);
  CHECK(fnv(images("glyphs,limit=50,split=test,seed=7,difficulty=1,kinds=25")) == 8027684187553901225u);
}

TEST_CASE("a glyph depends on its row alone") {
  const auto data = open("glyphs"), other = open("glyphs,samples=100");
  const auto all = data->images({5, 6, 7});
  CHECK(at::equal(data->images({7}), all.narrow(0, 2, 1)));
  CHECK(at::equal(other->images({6}), all.narrow(0, 1, 1)));
}

TEST_CASE("glyphs come in balanced classes, the test part being a sixth") {
  const auto train = open("glyphs,samples=600"), test = open("glyphs,samples=600,split=test");
  CHECK(train->size() == 600);
  CHECK(test->size() == 100);
  CHECK(train->sample_shape() == std::vector<int64_t>{1, 28, 28});
  CHECK(at::equal(at::bincount(train->labels(all_rows(*train))), at::full({10}, 60, at::kLong)));
  CHECK(open("glyphs,kinds=20,samples=600")->classes().size() == 20);
  CHECK(open("glyphs,samples=600,classes=5-9")->size() == 300);
  CHECK_FALSE(open("glyphs,labels=none")->has_labels());
}

TEST_CASE("no glyph is in both parts or twice in one") {
  std::set<uint64_t> seen;
  for (const char* spec : {"glyphs,samples=600", "glyphs,samples=600,split=test"}) {
    const auto all = images(spec);
    for (int64_t i = 0; i < all.size(0); ++i) CHECK(seen.insert(fnv(all[i])).second);
  }
  CHECK(seen.size() == 700);
}

TEST_CASE("another seed draws other glyphs, and difficulty 0 draws without noise") {
  CHECK_FALSE(at::equal(images("glyphs,limit=5"), images("glyphs,limit=5,seed=1")));
  CHECK(images("glyphs,limit=50,difficulty=0").eq(0).to(at::kFloat).mean().item<float>() > 0.5);
}
