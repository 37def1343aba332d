#include "mas/importance/rules/channel_sums.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace mas {
namespace {

// Many short sums, as vectors and for their rounding.
template <class T>
ChannelSums sums(const at::Tensor& delta, const at::Tensor& x, const at::Tensor& shift) {
  constexpr int kLanes = 16;
  constexpr int64_t kGrain = 32768;  // values worth waking a thread for
  const int64_t rows = delta.size(0), channels = delta.size(1), length = delta.size(2), shifts = shift.numel();
  ChannelSums out{at::empty({rows, channels}, delta.options()), at::empty({rows, channels}, delta.options())};
  const T *d = delta.data_ptr<T>(), *v = x.data_ptr<T>(), *m = shift.data_ptr<T>();
  T *plain = out.delta.data_ptr<T>(), *scaled = out.scaled.data_ptr<T>();
  at::parallel_for(0, rows * channels, 1 + kGrain / std::max<int64_t>(1, length), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const T *p = d + i * length, *q = v + i * length, off = m[i % shifts];
      T a[kLanes] = {}, b[kLanes] = {};
      int64_t j = 0;
      for (; j + kLanes <= length; j += kLanes)
        for (int k = 0; k < kLanes; k++) {
          a[k] += p[j + k];
          b[k] += p[j + k] * (q[j + k] - off);
        }
      for (; j < length; j++) {
        a[j % kLanes] += p[j];
        b[j % kLanes] += p[j] * (q[j] - off);
      }
      for (int k = 1; k < kLanes; k++) {
        a[0] += a[k];
        b[0] += b[k];
      }
      plain[i] = a[0];
      scaled[i] = b[0];
    }
  });
  return out;
}

}  // namespace

bool sums_channels(const at::Tensor& delta, const at::Tensor& x, const at::Tensor& shift) {
  const auto type = delta.scalar_type();
  return delta.dim() >= 2 && delta.sizes() == x.sizes() && x.scalar_type() == type && shift.scalar_type() == type &&
         (type == at::kFloat || type == at::kDouble) && delta.device().is_cpu() && shift.numel() > 0;
}

ChannelSums channel_sums(const at::Tensor& delta, const at::Tensor& x, const at::Tensor& shift) {
  const auto flat = [](const at::Tensor& t) { return t.contiguous().view({t.size(0), t.size(1), -1}); };
  return delta.scalar_type() == at::kFloat ? sums<float>(flat(delta), flat(x), shift.contiguous())
                                           : sums<double>(flat(delta), flat(x), shift.contiguous());
}

}  // namespace mas
