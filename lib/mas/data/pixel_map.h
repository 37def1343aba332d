#pragma once
#include <cstdint>
#include <vector>

namespace mas {

/// A map from the pixels of a channel to those of its image: each output pixel is a weighted sum of `taps` inputs,
/// index -1 being outside, where all is 0. Without weights (one tap) it only moves pixels.
struct PixelMap {
  int64_t in = 0, out = 0, taps = 1;
  std::vector<int32_t> index;  ///< [out, taps]
  std::vector<float> weight;   ///< [out, taps], or empty
  void apply(const float* from, float* to) const;
};

/// A part of an image in pixels; it may reach out of the image.
struct Region {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

/// What is seen of an image of height x width where this region fills out_height x out_width, perhaps as in a mirror.
/// Bilinear within the region, pixel centres at half coordinates, as upsample_bilinear2d of what is cut out with
/// align_corners=false; pixels are only moved where region and output are of one size.
PixelMap view_of(int64_t height, int64_t width, const Region& region, int64_t out_height, int64_t out_width,
                 bool mirrored = false);

}  // namespace mas
