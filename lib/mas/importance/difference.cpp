#include "mas/importance/difference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mas {

namespace {

template <class T>
Difference compare_as(const at::Tensor& got, const at::Tensor& want) {
  Difference d;
  const T *g = got.data_ptr<T>(), *w = want.data_ptr<T>();
  for (int64_t i = 0; i < want.numel(); i++) {
    const double wanted = w[i], difference = std::fabs(g[i] - wanted);
    d.total += difference;  // carries NaN, which max would drop
    d.largest = std::max(d.largest, difference);
    d.want_largest = std::max(d.want_largest, wanted);
    d.want_total += wanted;
  }
  return d;
}

}  // namespace

Difference compare(const at::Tensor& got, const at::Tensor& want) {
  return want.scalar_type() == at::kDouble ? compare_as<double>(got, want) : compare_as<float>(got, want);
}

}  // namespace mas
