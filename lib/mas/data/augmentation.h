#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "mas/data/pixel_map.h"
#include "mas/random.h"

namespace mas {

/// Random changes of training images, drawn anew for each sample and epoch: names and rules of torchvision's
/// RandomCrop, RandomResizedCrop and RandomHorizontalFlip.
struct Augmentation {
  std::optional<int64_t> crop;  ///< the window at any place of the image with so many pixels of 0 on each side
  std::optional<double>
      resized_crop;   ///< a part of from this to all of the area, 3:4 to 4:3, made as large as the window
  bool flip = false;  ///< left and right exchanged, of one image in two

  bool active() const { return crop || resized_crop || flip; }
  /// Reads "crop[:PIXELS]", "resized-crop[:SHARE]" and "flip" between commas. Throws UsageError of --augment.
  static Augmentation parse(const std::string& text);
  std::string str() const;  ///< parse(str()) equals *this

  /// One draw: an image of height x width, with what pads it, as a window of out_height x out_width, which has to fit.
  /// Without a crop it is the centre.
  PixelMap draw(int64_t height, int64_t width, int64_t out_height, int64_t out_width, SplitMix64& random) const;
};

}  // namespace mas
