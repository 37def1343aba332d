#include "mas/data/augmentation.h"

#include <set>

#include "mas/data/dataset.h"
#include "mas/data/transforms.h"
#include "mas/error.h"
#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using mas::Augmentation;
using mas::Region;

namespace {

// An image of one channel as a map shows it.
at::Tensor seen(const mas::PixelMap& map, const at::Tensor& image, int64_t height, int64_t width) {
  const at::Tensor result = at::empty({height, width});
  map.apply(image.data_ptr<float>(), result.data_ptr<float>());
  return result;
}

std::set<std::vector<float>> drawn(const std::string& text, const at::Tensor& image, int64_t side, int draws) {
  mas::SplitMix64 random(1);
  std::set<std::vector<float>> all;
  for (int i = 0; i < draws; i++) {
    const auto map = Augmentation::parse(text).draw(image.size(0), image.size(1), side, side, random);
    const at::Tensor window = seen(map, image, side, side);
    all.emplace(window.data_ptr<float>(), window.data_ptr<float>() + window.numel());
  }
  return all;
}

std::vector<float> values(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.contiguous();
  return {whole.data_ptr<float>(), whole.data_ptr<float>() + whole.numel()};
}

}  // namespace

TEST_CASE("a view of a region is what LibTorch cuts out, resizes and flips") {
  torch::manual_seed(2);
  const auto image = torch::rand({9, 7});
  for (const auto& [region, height, width] :
       {std::tuple{Region{0, 0, 9, 7}, 4, 11}, {{2, 1, 5, 6}, 8, 8}, {{3, 3, 4, 2}, 4, 2}, {{8, 6, 1, 1}, 3, 3}}) {
    const auto part = image.slice(0, region.top, region.top + region.height)
                          .slice(1, region.left, region.left + region.width)
                          .unsqueeze(0)
                          .unsqueeze(0);
    const auto wanted = at::upsample_bilinear2d(part, {height, width}, false)[0][0];
    CHECK(at::allclose(seen(view_of(9, 7, region, height, width), image, height, width), wanted, 1e-5, 1e-6));
    CHECK(at::allclose(seen(view_of(9, 7, region, height, width, true), image, height, width), wanted.flip(1), 1e-5,
                       1e-6));
  }
}

TEST_CASE("a random crop takes every place of the padded image, and flip both sides of it") {
  const auto image = torch::arange(1, 17, at::kFloat).reshape({4, 4});
  const auto padded = at::constant_pad_nd(image, {1, 1, 1, 1});
  std::set<std::vector<float>> wanted, both;
  for (int64_t y = 0; y <= 2; y++) {
    for (int64_t x = 0; x <= 2; x++) {
      const auto window = padded.slice(0, y, y + 4).slice(1, x, x + 4);
      wanted.insert(values(window));
      both.insert(values(window));
      both.insert(values(window.flip(1)));
    }
  }
  CHECK(drawn("crop:1", image, 4, 500) == wanted);
  CHECK(drawn("crop:1,flip", image, 4, 1000) == both);
  CHECK(drawn("crop", image, 3, 200).size() == 4);
  CHECK(drawn("flip", image, 2, 100) ==
        std::set{values(image.slice(0, 1, 3).slice(1, 1, 3)), values(image.slice(0, 1, 3).slice(1, 1, 3).flip(1))});
}

TEST_CASE("a resized crop keeps to its share of the area, 3:4 to 4:3, and lies within the image") {
  mas::SplitMix64 random(3);
  const auto augmentation = Augmentation::parse("resized-crop:0.3");
  // Of an image of its own row and column numbers, the corners tell the region.
  const int64_t height = 40, width = 50, side = 200;
  const auto rows = torch::arange(height, at::kFloat).unsqueeze(1).expand({height, width}).contiguous();
  const auto columns = torch::arange(width, at::kFloat).expand({height, width}).contiguous();
  double least = 1, most = 0;
  for (int i = 0; i < 300; i++) {
    const auto map = augmentation.draw(height, width, side, side, random);
    const auto y = seen(map, rows, side, side), x = seen(map, columns, side, side);
    const double high = (y[side - 1][0] - y[0][0]).item<double>() + 1,
                 wide = (x[0][side - 1] - x[0][0]).item<double>() + 1;
    CHECK(wide / high > 0.75 * 0.9);
    CHECK(wide / high < 1.34 * 1.1);
    least = std::min(least, high * wide / (height * width));
    most = std::max(most, high * wide / (height * width));
  }
  CHECK(least > 0.27);
  CHECK(least < 0.4);
  CHECK(most > 0.85);
  CHECK(most <= 1);
  // No part of a wide image has more than a third of it and is narrower than 4:3: the largest in the middle is taken.
  const auto strip = torch::arange(90, at::kFloat).expand({10, 90}).contiguous();
  const auto middle = seen(Augmentation::parse("resized-crop:1").draw(10, 90, 10, 13, random), strip, 10, 13);
  CHECK(middle[0][0].item<double>() == 38);
  CHECK(middle[0][12].item<double>() == 50);
}

TEST_CASE("what is drawn for a sample depends on seed and row alone, and evaluation sees images as they are") {
  const auto spec = mas::DataSpec::parse("glyphs,samples=40,crop=20,rotate=10,normalize=0.5:0.5");
  const auto data = mas::open_dataset(spec, {});
  const auto augmentation = Augmentation::parse("crop,flip");
  const auto all = data->augmented({0, 1, 2, 3, 4, 5}, augmentation, 7);
  CHECK(all.sizes() == at::IntArrayRef({6, 1, 20, 20}));
  CHECK(at::equal(data->augmented({4, 1}, augmentation, 7), at::stack({all[4], all[1]})));
  CHECK_FALSE(at::equal(data->augmented({0, 1, 2, 3, 4, 5}, augmentation, 8), all));
  CHECK_FALSE(at::equal(data->images({0, 1, 2, 3, 4, 5}), all));
}

TEST_CASE("augmentations are read and written, and wrong ones refused") {
  for (const char* text : {"crop", "crop:4", "resized-crop:0.08", "flip", "crop:2,flip", "resized-crop:0.5,flip"})
    CHECK(Augmentation::parse(text).str() == text);
  CHECK(Augmentation::parse("flip,crop").str() == "crop,flip");
  CHECK(Augmentation::parse("resized-crop").str() == "resized-crop:0.08");
  for (const char* text : {"", "flop", "crop:", "crop:-1", "crop:1:2", "crop:1.5", "resized-crop:0", "resized-crop:2",
                           "resized-crop:nan", "flip,flip", "crop,crop:2", "crop,resized-crop", "flip,"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(Augmentation::parse(text), mas::UsageError);
  }
}

TEST_CASE("flat rows, token ids and a window without room can't be augmented") {
  const auto glyphs = mas::open_dataset(mas::DataSpec::parse("glyphs,samples=40"), {});
  CHECK_THROWS_WITH_AS(
      glyphs->augmented({0}, Augmentation::parse("crop"), 0),
      "--augment: crop has one place only for a window of 28 x 28 in images of 28 x 28; make them larger "
      "than crop= in the data spec, or pad them as with crop:4",
      mas::Error);
  CHECK_NOTHROW(glyphs->augmented({0}, Augmentation::parse("crop:1"), 0));
  const auto refusal = [](const std::vector<int64_t>& shape, at::ScalarType type) {
    const mas::Transforms transforms(mas::DataSpec::parse("x"), shape, type);
    try {
      transforms.check(Augmentation::parse("flip"));
      return std::string();
    } catch (const mas::Error& error) {
      return std::string(error.what());
    }
  };
  CHECK(refusal({3, 6, 6}, at::kFloat).empty());
  CHECK(refusal({3, 6, 6}, at::kLong) == "--augment: not for token ids");
  CHECK(refusal({9}, at::kLong) == "--augment: not for token ids");
  CHECK(refusal({9}, at::kFloat) ==
        "--augment: for images, not for rows of 9 values; size=HxW makes images of flat rows");
}
