#include "mas/importance/rules/channel_sums.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

constexpr int64_t kGrain = 32768;  // values worth waking a thread for

// Many short sums, as vectors and for their rounding.
template <class T>
ChannelSums sums(const at::Tensor& delta, const at::Tensor& x, const at::Tensor& shift) {
  constexpr int kLanes = 16;
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

// The same where a position's channels are neighbours: [rows, positions, channels] in memory.
template <class T>
ChannelSums sums_last(const at::Tensor& delta, const at::Tensor& x, const at::Tensor& shift) {
  constexpr int64_t kLanes = 16, kBlock = 128;  // channels at a time; positions summed before they are added
  const int64_t rows = delta.size(0), channels = delta.size(1), length = delta.numel() / (rows * channels);
  const int64_t strips = (channels + kLanes - 1) / kLanes, shifts = shift.numel();
  ChannelSums out{at::zeros({rows, channels}, delta.options()), at::zeros({rows, channels}, delta.options())};
  const T *d = delta.data_ptr<T>(), *v = x.data_ptr<T>(), *m = shift.data_ptr<T>();
  T *plain = out.delta.data_ptr<T>(), *scaled = out.scaled.data_ptr<T>();
  at::parallel_for(0, rows * strips, 1 + kGrain / (kLanes * length), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t row = i / strips, first = i % strips * kLanes, some = std::min(kLanes, channels - first);
      T off[kLanes] = {};
      for (int64_t k = 0; k < some; k++) off[k] = m[(row * channels + first + k) % shifts];
      for (int64_t l = 0; l < length; l += kBlock) {
        T a[kLanes] = {}, b[kLanes] = {};
        const T *p = d + (row * length + l) * channels + first, *q = v + (row * length + l) * channels + first;
        const int64_t block = std::min(kBlock, length - l);
        const auto add = [&](int64_t lanes) {
          for (int64_t j = 0; j < block; j++, p += channels, q += channels)
            for (int64_t k = 0; k < lanes; k++) {
              a[k] += p[k];
              b[k] += p[k] * (q[k] - off[k]);
            }
        };
        some == kLanes ? add(kLanes) : add(some);  // the first with a length that the compiler knows
        for (int64_t k = 0; k < some; k++) {
          plain[row * channels + first + k] += a[k];
          scaled[row * channels + first + k] += b[k];
        }
      }
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
  const at::Tensor off = shift.contiguous();
  const bool single = delta.scalar_type() == at::kFloat;
  if (delta.numel() && channels_innermost(delta) && channels_innermost(x))
    return single ? sums_last<float>(delta, x, off) : sums_last<double>(delta, x, off);
  const auto flat = [](const at::Tensor& t) { return t.contiguous().view({t.size(0), t.size(1), -1}); };
  return single ? sums<float>(flat(delta), flat(x), off) : sums<double>(flat(delta), flat(x), off);
}

}  // namespace mas
