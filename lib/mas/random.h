#pragma once
#include <cstdint>
#include <string>

#include "mas/data/random.h"

namespace mas {

/// Seeds that belong together without being alike: one user seed gives each purpose (a head, an epoch, a split) its
/// own. splitmix64 of the seed and the FNV-1a hash of `purpose`; the same on every machine.
inline uint64_t derive_seed(uint64_t seed, const std::string& purpose) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (unsigned char c : purpose) hash = (hash ^ c) * 0x100000001b3ULL;
  return SplitMix64(seed + hash).next();
}

}  // namespace mas
