#include "mas/importance/difference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mas {

Difference compare(const at::Tensor& got, const at::Tensor& want) {
  Difference d;
  const double *g = got.data_ptr<double>(), *w = want.data_ptr<double>();
  for (int64_t i = 0; i < want.numel(); i++) {
    const double difference = std::fabs(g[i] - w[i]);
    d.total += difference;  // carries NaN, which max would drop
    d.largest = std::max(d.largest, difference);
    d.want_largest = std::max(d.want_largest, w[i]);
    d.want_total += w[i];
  }
  return d;
}

}  // namespace mas
