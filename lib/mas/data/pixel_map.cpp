#include "mas/data/pixel_map.h"

#include <algorithm>

namespace mas {
namespace {

// Along one side: an output lies between two pixels of the region, so far from the first.
struct Tap {
  int64_t first, second;
  double distance;
};

std::vector<Tap> taps_along(int64_t begin, int64_t from, int64_t to) {
  std::vector<Tap> taps;
  for (int64_t i = 0; i < to; ++i) {
    const double place =
        std::max(0.0, (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5);
    const int64_t first = std::min(static_cast<int64_t>(place), from - 1), second = std::min(first + 1, from - 1);
    taps.push_back({begin + first, begin + second, place - static_cast<double>(first)});
  }
  return taps;
}

}  // namespace

void PixelMap::apply(const float* from, float* to) const {
  const auto at = [from](int32_t i) { return i < 0 ? 0.0f : from[i]; };
  if (weight.empty()) {
    for (int64_t i = 0; i < out; ++i) to[i] = at(index[static_cast<size_t>(i)]);
    return;
  }
  const int32_t* k = index.data();
  const float* w = weight.data();
  for (int64_t i = 0; i < out; ++i, k += 4, w += 4)
    to[i] = w[0] * at(k[0]) + w[1] * at(k[1]) + w[2] * at(k[2]) + w[3] * at(k[3]);
}

PixelMap view_of(int64_t height, int64_t width, const Region& region, int64_t out_height, int64_t out_width,
                 bool mirrored) {
  const bool same = region.height == out_height && region.width == out_width;
  PixelMap map{height * width, out_height * out_width, same ? 1 : 4, {}, {}};
  map.index.reserve(static_cast<size_t>(map.out * map.taps));
  if (!same) map.weight.reserve(map.index.capacity());
  const auto place = [&](int64_t y, int64_t x) {
    const bool inside = y >= 0 && y < height && x >= 0 && x < width;
    return inside ? static_cast<int32_t>(y * width + x) : -1;
  };
  auto columns = taps_along(region.left, region.width, out_width);
  if (mirrored) std::reverse(columns.begin(), columns.end());
  for (const Tap& y : taps_along(region.top, region.height, out_height)) {
    for (const Tap& x : columns) {
      if (same) {
        map.index.push_back(place(y.first, x.first));
        continue;
      }
      for (const auto& [row, down] : {std::pair{y.first, 1 - y.distance}, {y.second, y.distance}})
        for (const auto& [column, right] : {std::pair{x.first, 1 - x.distance}, {x.second, x.distance}}) {
          map.index.push_back(place(row, column));
          map.weight.push_back(static_cast<float>(down * right));
        }
    }
  }
  return map;
}

}  // namespace mas
