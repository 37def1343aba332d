#pragma once
#include <algorithm>
#include <vector>

namespace mas::bench {

/// Of one value at least; the larger of the two in the middle.
inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

}  // namespace mas::bench
