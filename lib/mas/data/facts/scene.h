#pragma once
#include <cstdint>

#include "mas/data/facts/world.h"
#include "mas/random.h"

namespace mas::facts {

constexpr int kSide = 32;
constexpr int64_t kSceneBytes = 3 * kSide * kSide;

/// Draws a fact: 3 x kSide x kSide bytes. What is where, and how noisy the picture is, depends on `random` and the
/// difficulty, 0 to 1.
void draw_scene(const Fact& fact, float difficulty, SplitMix64 random, uint8_t* out);

}  // namespace mas::facts
