#include "mas/training/schedule.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>

#include "mas/error.h"

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

Schedule parse_schedule(const std::string& text) {
  if (text == "constant") return {};
  if (text == "cosine") return {Schedule::Kind::kCosine};
  Schedule schedule{Schedule::Kind::kStep};
  long long every = 0;
  int used = 0;
  if (std::sscanf(text.c_str(), "step:%lld:%lf%n", &every, &schedule.factor, &used) == 2 &&
      used == static_cast<int>(text.size()) && every > 0 && schedule.factor > 0 && std::isfinite(schedule.factor)) {
    schedule.every = every;
    return schedule;
  }
  throw UsageError("--schedule", fmt::format("must be constant, cosine or step:EVERY:FACTOR, got {}", text));
}

}  // namespace mas
