#pragma once
#include <cstdint>
#include <string>

namespace mas {

/// Seeds that belong together without being alike: one user seed gives each purpose (a head, an epoch, a split) its
/// own. splitmix64 of the seed and the FNV-1a hash of `purpose`; the same on every machine.
inline uint64_t derive_seed(uint64_t seed, const std::string& purpose) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (unsigned char c : purpose) hash = (hash ^ c) * 0x100000001b3ULL;
  uint64_t z = seed + hash + 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace mas
