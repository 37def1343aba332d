#include "mas/training/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "mas/error.h"
#include "mas/text.h"

namespace mas {

double Schedule::scale(int64_t epoch, int64_t epochs) const {
  switch (kind) {
    case Kind::kConstant:
      return 1;
    case Kind::kCosine:
      return (1 + std::cos(M_PI * static_cast<double>(epoch) / static_cast<double>(epochs))) / 2;
    case Kind::kStep:
      return std::pow(factor, static_cast<double>(epoch / every));
  }
  return 1;
}

double Schedule::largest_scale(int64_t epochs) const { return std::max(scale(0, epochs), scale(epochs - 1, epochs)); }

Schedule parse_schedule(const std::string& text) {
  if (text == "constant") return {};
  if (text == "cosine") return {Schedule::Kind::kCosine};
  Schedule schedule{Schedule::Kind::kStep};
  const auto parts = cut(text, ':');
  if (parts.size() == 3 && parts[0] == "step" && parse_number(parts[1], schedule.every) &&
      parse_number(parts[2], schedule.factor) && schedule.every > 0 && schedule.factor > 0) {
    return schedule;
  }
  throw UsageError("--schedule", fmt::format("must be constant, cosine or step:EVERY:FACTOR, got {}", text));
}

}  // namespace mas
