#include "mas/data/augmentation.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr const char* kOption = "--augment";
constexpr double kLeastShare = 0.08;   // of RandomResizedCrop
constexpr double kWidest = 4.0 / 3.0;  // width over height; the narrowest is its inverse
constexpr int kTries = 10;             // for a part that lies within the image
constexpr int64_t kMostPadding = 1 << 12;

[[noreturn]] void refuse(const std::string& part) {
  throw UsageError(kOption,
                   fmt::format("must be crop, crop:PIXELS, resized-crop, resized-crop:SHARE (above 0, up to 1) "
                               "or flip, or several between commas; got {}",
                               part));
}

void read_part(const std::string& part, Augmentation& result) {
  const auto words = cut(part, ':');
  if (part == "flip") {
    result.flip = true;
  } else if (words[0] == "crop" && words.size() <= 2) {
    int64_t padding = 0;
    if (words.size() == 2 && (!parse_number(words[1], padding) || padding < 0 || padding > kMostPadding)) refuse(part);
    result.crop = padding;
  } else if (words[0] == "resized-crop" && words.size() <= 2) {
    double share = kLeastShare;
    if (words.size() == 2 && (!parse_number(words[1], share) || !(share > 0 && share <= 1))) refuse(part);
    result.resized_crop = share;
  } else {
    refuse(part);
  }
}

// 0 <= place <= room.
int64_t somewhere(int64_t room, SplitMix64& random) {
  return static_cast<int64_t>(random.below(static_cast<uint64_t>(room) + 1));
}

Region draw_part(int64_t height, int64_t width, double least, SplitMix64& random) {
  for (int i = 0; i < kTries; i++) {
    const double share = least + (1 - least) * random.uniform();
    const double aspect = std::exp(std::log(kWidest) * (2.0 * random.uniform() - 1));
    const double area = share * static_cast<double>(height * width);
    const int64_t high = std::llround(std::sqrt(area / aspect)), wide = std::llround(std::sqrt(area * aspect));
    if (high < 1 || wide < 1 || high > height || wide > width) continue;
    const int64_t top = somewhere(height - high, random), left = somewhere(width - wide, random);
    return {top, left, high, wide};
  }
  // The largest part in the middle that is neither too wide nor too high.
  const int64_t high = std::clamp<int64_t>(std::llround(static_cast<double>(width) * kWidest), 1, height);
  const int64_t wide = std::clamp<int64_t>(std::llround(static_cast<double>(height) * kWidest), 1, width);
  return {(height - high) / 2, (width - wide) / 2, high, wide};
}

}  // namespace

Augmentation Augmentation::parse(const std::string& text) {
  Augmentation result;
  for (const auto& part : cut(text, ',')) {
    const Augmentation before = result;
    read_part(part, result);
    const auto count = [](const Augmentation& a) { return a.crop.has_value() + a.resized_crop.has_value() + a.flip; };
    if (count(result) == count(before)) throw UsageError(kOption, fmt::format("{} is given twice", part));
  }
  if (result.crop && result.resized_crop) throw UsageError(kOption, "crop and resized-crop exclude each other");
  return result;
}

std::string Augmentation::str() const {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
  if (crop) add(*crop > 0 ? fmt::format("crop:{}", *crop) : "crop");
  if (resized_crop) add(fmt::format("resized-crop:{}", *resized_crop));
  if (flip) add("flip");
  return text;
}

PixelMap Augmentation::draw(int64_t height, int64_t width, int64_t out_height, int64_t out_width,
                            SplitMix64& random) const {
  Region region{(height - out_height) / 2, (width - out_width) / 2, out_height, out_width};
  if (resized_crop) region = draw_part(height, width, *resized_crop, random);
  if (crop) {
    const int64_t down = height + 2 * *crop - out_height, right = width + 2 * *crop - out_width;
    region.top = somewhere(down, random) - *crop;
    region.left = somewhere(right, random) - *crop;
  }
  return view_of(height, width, region, out_height, out_width, flip && random.below(2) == 1);
}

}  // namespace mas
