#include "mas/data/transforms.h"

#include "mas/error.h"
#include "mas/random.h"
#include "unit/doctest_torch.h"

using mas::DataSpec;
using mas::Transforms;

namespace {

at::Tensor transformed(const std::string& keys, const at::Tensor& stored) {
  const auto rows = stored.contiguous();
  return Transforms(DataSpec::parse("x" + keys), rows.sizes().slice(1).vec(), rows.scalar_type())
      .apply(rows.data_ptr(), rows.size(0));
}

at::Tensor bytes(at::IntArrayRef sizes) {
  torch::manual_seed(1);
  return at::randint(0, 256, sizes, at::kByte);
}

at::Tensor as_float(const at::Tensor& bytes) { return bytes.to(at::kFloat) / 255; }

at::ScalarType stored_type(const std::string& keys) {
  return Transforms(DataSpec::parse("x" + keys), {1, 4, 4}, at::kByte).stored_type();
}

}  // namespace

TEST_CASE("bytes become floats from 0 to 1, floats and token ids stay as they are") {
  const auto all = at::arange(256, at::kByte).reshape({1, 256});
  CHECK(at::equal(transformed("", all), as_float(all)));
  const auto floats = at::randn({3, 2, 5});
  CHECK(at::equal(transformed("", floats), floats));
  const auto tokens = at::randint(0, 1 << 30, {3, 7}, at::kLong);
  CHECK(at::equal(transformed("", tokens), tokens));
}

TEST_CASE("size resizes as LibTorch's bilinear interpolation") {
  const auto images = bytes({2, 3, 7, 9});
  for (const auto& [height, width] : {std::pair{14, 18}, {5, 4}, {7, 20}, {1, 1}, {7, 9}}) {
    const auto keys = ",size=" + std::to_string(height) + "x" + std::to_string(width);
    CAPTURE(keys);
    const auto expected = at::upsample_bilinear2d(as_float(images), {height, width}, false);
    CHECK(transformed(keys, images).sizes() == expected.sizes());
    CHECK(at::allclose(transformed(keys, images), expected, 1e-5, 1e-6));
  }
}

TEST_CASE("size makes images of flat rows without changing a value") {
  const auto rows = at::randn({4, 12});
  CHECK(at::equal(transformed(",size=2x3", rows), rows.reshape({4, 2, 2, 3})));
  CHECK_THROWS_WITH_AS(transformed(",size=5x2", rows), doctest::Contains("size: 12 values are no images of 5 x 2"),
                       mas::Error);
}

TEST_CASE("crop keeps the centre") {
  const auto images = bytes({2, 3, 7, 8});
  CHECK(at::equal(transformed(",crop=4x3", images), as_float(images).slice(2, 1, 5).slice(3, 2, 5)));
  CHECK(at::equal(transformed(",crop=7x8", images), as_float(images)));
  CHECK_THROWS_WITH_AS(transformed(",crop=8", images), "crop: 8 x 8 of images of 7 x 8", mas::Error);
}

TEST_CASE("size with one number resizes the centre square") {
  const auto images = bytes({2, 3, 6, 10});
  CHECK(at::equal(transformed(",size=6", images), as_float(images).slice(3, 2, 8)));
  CHECK(at::equal(transformed(",size=5", images), transformed(",size=5x5", images.slice(3, 2, 8))));
  CHECK(at::equal(transformed(",size=2", at::arange(4, at::kFloat).unsqueeze(0)),
                  at::arange(4, at::kFloat).reshape({1, 1, 2, 2})));
}

TEST_CASE("pad puts zeros on each side") {
  const auto images = bytes({2, 3, 4, 5});
  CHECK(at::equal(transformed(",pad=2", images), at::constant_pad_nd(as_float(images), {2, 2, 2, 2}, 0)));
}

TEST_CASE("quarter turns are exact and counter-clockwise") {
  const auto images = bytes({2, 3, 6, 6});
  for (int turns : {-3, -2, -1, 1, 2, 3, 4})
    CHECK(at::equal(transformed(",rotate=" + std::to_string(90 * turns), images),
                    at::rot90(as_float(images), turns, {2, 3})));
}

TEST_CASE("rotate is LibTorch's bilinear sampling with zeros outside") {
  const auto images = bytes({2, 1, 6, 9});
  const double angle = 30 * 3.14159265358979323846 / 180;
  const auto y = (at::arange(6, at::kDouble) - 2.5).unsqueeze(1).expand({6, 9});
  const auto x = (at::arange(9, at::kDouble) - 4).unsqueeze(0).expand({6, 9});
  const auto from_x = x * std::cos(angle) - y * std::sin(angle), from_y = x * std::sin(angle) + y * std::cos(angle);
  const auto grid = at::stack({from_x / 4.5, from_y / 3}, -1).to(at::kFloat).unsqueeze(0).expand({2, 6, 9, 2});
  const auto expected = at::grid_sampler(as_float(images), grid, 0, 0, false);
  CHECK(at::allclose(transformed(",rotate=30", images), expected, 1e-4, 1e-5));
}

TEST_CASE("permute moves all pixels alike in every channel and sample") {
  const auto images = bytes({2, 3, 4, 5});
  const auto order = mas::permutation(20, 9);
  const auto index = torch::tensor(order, at::kLong);
  CHECK(at::equal(transformed(",permute=9", images),
                  as_float(images).flatten(2).index_select(2, index).reshape({2, 3, 4, 5})));
  CHECK(at::equal(std::get<0>(at::sort(index)), at::arange(20, at::kLong)));
  CHECK_FALSE(at::equal(transformed(",permute=9", images), transformed(",permute=8", images)));
  const auto rows = at::randn({2, 20});
  CHECK(at::equal(transformed(",permute=9", rows), rows.index_select(1, index)));
}

TEST_CASE("a seed's permutation never changes") {
  CHECK(mas::SplitMix64(1234567).next() == 6457827717110365317u);  // as published
  CHECK(mas::permutation(8, 1) == std::vector<int64_t>{4, 3, 2, 7, 5, 6, 0, 1});
  CHECK(mas::permutation(8, 2) == std::vector<int64_t>{5, 2, 7, 4, 1, 3, 0, 6});
}

TEST_CASE("normalize takes one pair for all channels or one each") {
  const auto images = bytes({2, 3, 4, 5});
  CHECK(at::allclose(transformed(",normalize=0.5:0.25", images), (as_float(images) - 0.5) / 0.25));
  const auto mean = torch::tensor({0.1f, 0.2f, 0.3f}).view({1, 3, 1, 1}),
             deviation = torch::tensor({1.f, 2.f, 4.f}).view({1, 3, 1, 1});
  CHECK(at::allclose(transformed(",normalize=0.1:1;0.2:2;0.3:4", images), (as_float(images) - mean) / deviation));
  CHECK(at::allclose(transformed(",normalize=127.5/128", images), (images.to(at::kFloat) - 127.5) / 128, 1e-6, 1e-6));
  CHECK(at::equal(transformed(",normalize=imagenet", images),
                  transformed(",normalize=0.485:0.229;0.456:0.224;0.406:0.225", images)));
  CHECK_THROWS_WITH_AS(transformed(",normalize=imagenet", bytes({1, 1, 2, 2})), doctest::Contains("normalize: 3 pairs"),
                       mas::Error);
  CHECK_THROWS_WITH_AS(transformed(",normalize=0.1:1;0.2:2", images), doctest::Contains("normalize: 2 pairs"),
                       mas::Error);
}

TEST_CASE("transforms work in their documented order whatever the spec's") {
  const auto images = bytes({2, 1, 4, 4});
  auto step = transformed(",size=6x6", images);
  for (const char* key : {",crop=5x4", ",pad=1", ",rotate=20", ",permute=5", ",normalize=0.1:0.5"})
    step = transformed(key, step);
  CHECK(at::equal(transformed(",normalize=0.1:0.5,permute=5,rotate=20,pad=1,crop=5x4,size=6x6", images), step));
}

TEST_CASE("what only moves bytes keeps them bytes") {
  for (const char* keys : {"", ",pad=2", ",crop=2", ",permute=1", ",size=4x4"}) CHECK((stored_type(keys) == at::kByte));
  for (const char* keys : {",size=5x5", ",rotate=1", ",normalize=0:1"}) CHECK((stored_type(keys) == at::kFloat));
}

TEST_CASE("a transform that can't apply is named") {
  for (const char* key : {"crop=1", "pad=1", "rotate=1"})
    CHECK_THROWS_WITH_AS(transformed(std::string(",") + key, at::randn({2, 9})), doctest::Contains("for images"),
                         mas::Error);
  for (const char* key : {"size=3x3", "crop=1", "pad=1", "rotate=1", "permute=1", "normalize=0:1"})
    CHECK_THROWS_WITH_AS(transformed(std::string(",") + key, at::zeros({2, 9}, at::kLong)),
                         doctest::Contains("not for token ids"), mas::Error);
}
