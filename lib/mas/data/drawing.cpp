#include "mas/data/drawing.h"

#include <algorithm>

#include "mas/data/strict_floats.h"

namespace mas {

float spread(SplitMix64& random, float width) { return (2 * random.uniform() - 1) * width; }

void store_noisy(const float* values, size_t count, SplitMix64& random, float noise, uint8_t* out) {
  for (size_t i = 0; i < count; i += 8) {
    uint64_t bits = random.next();
    for (size_t k = i; k < i + 8; ++k, bits >>= 8) {
      const float value = values[k] + (static_cast<float>(bits & 255) / 127.5f - 1) * noise;
      out[k] = static_cast<uint8_t>(std::clamp(value, 0.0f, 1.0f) * 255.0f + 0.5f);
    }
  }
}

}  // namespace mas
