#pragma once
#include <cstddef>
#include <cstdint>

#include "mas/random.h"

namespace mas {

/// Between -width and width.
float spread(SplitMix64& random, float width);

/// Values from 0 to 1, a multiple of 8 of them, as bytes, each with noise of up to so much in either direction.
void store_noisy(const float* values, size_t count, SplitMix64& random, float noise, uint8_t* out);

}  // namespace mas
