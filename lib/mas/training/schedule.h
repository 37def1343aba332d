#pragma once
#include <cstdint>
#include <string>

namespace mas {

/// Learning rate over epochs: "constant", "cosine" (to 0 after the last epoch) or "step:EVERY:FACTOR" (times FACTOR
/// after each EVERY epochs).
struct Schedule {
  enum class Kind { kConstant, kCosine, kStep } kind = Kind::kConstant;
  int64_t every = 1;
  double factor = 1;

  /// What the learning rate is multiplied by in `epoch` (from 0) of `epochs`.
  double scale(int64_t epoch, int64_t epochs) const;
  /// The largest of these: the first or the last, because each kind rises or falls all the way.
  double largest_scale(int64_t epochs) const;
};
Schedule parse_schedule(const std::string& text);  ///< throws UsageError

}  // namespace mas
