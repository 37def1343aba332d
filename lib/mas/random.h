#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mas {

/// SplitMix64 (Steele, Lea and Flood 2014). Ours, because the standard library's distributions and std::shuffle may
/// differ between implementations, and a seed has to mean the same order on every machine.
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    return mix(state_);
  }
  /// 0 <= value < bound, each equally likely; bound > 0.
  uint64_t below(uint64_t bound) {
    const uint64_t reject = (0 - bound) % bound;  // 2^64 mod bound: the values that would favour small results
    uint64_t value = next();
    while (value < reject) value = next();
    return value % bound;
  }
  /// 0 <= value < 1, a multiple of 2^-24: exact as a float.
  float uniform() { return static_cast<float>(next() >> 40) * 0x1p-24f; }

  /// The finaliser alone: a hash of one number.
  static uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
  }

 private:
  uint64_t state_;
};

/// Fisher-Yates.
template <typename T>
void shuffle(std::vector<T>& values, uint64_t seed) {
  SplitMix64 random(seed);
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random.below(i)]);
}

/// 0 ... count-1 in an order that depends on the seed alone.
inline std::vector<int64_t> permutation(int64_t count, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) order[static_cast<size_t>(i)] = i;
  shuffle(order, seed);
  return order;
}

/// Seeds that belong together without being alike: one user seed gives each purpose (a head, an epoch, a split) its
/// own. splitmix64 of the seed and the FNV-1a hash of `purpose`; the same on every machine.
inline uint64_t derive_seed(uint64_t seed, const std::string& purpose) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (unsigned char c : purpose) hash = (hash ^ c) * 0x100000001b3ULL;
  return SplitMix64(seed + hash).next();
}

}  // namespace mas
