// Batch norm with running statistics: an affine map of each channel, gradients Σ δ x̂ and Σ δ over a sample's positions.
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/generated/Functions.h>

#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::generated::NativeBatchNormBackward0;

struct Sums {
  at::Tensor delta, scaled;  // [rows, channels]: Σ δ and Σ δ (x - mean) over positions
};

// One pass over both. Many short sums, as vectors and for their rounding.
template <class T>
Sums sums(const at::Tensor& delta, const at::Tensor& x, const at::Tensor& mean) {
  constexpr int kLanes = 16;
  const int64_t rows = delta.size(0), channels = delta.size(1), length = delta.size(2);
  Sums out{at::empty({rows, channels}, delta.options()), at::empty({rows, channels}, delta.options())};
  const T *d = delta.data_ptr<T>(), *v = x.data_ptr<T>(), *m = mean.data_ptr<T>();
  T *plain = out.delta.data_ptr<T>(), *scaled = out.scaled.data_ptr<T>();
  at::parallel_for(0, rows * channels, 1 + 32768 / std::max<int64_t>(1, length), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const T *p = d + i * length, *q = v + i * length, shift = m[i % channels];
      T a[kLanes] = {}, b[kLanes] = {};
      int64_t j = 0;
      for (; j + kLanes <= length; j += kLanes)
        for (int k = 0; k < kLanes; k++) {
          a[k] += p[j + k];
          b[k] += p[j + k] * (q[j + k] - shift);
        }
      for (; j < length; j++) {
        a[j % kLanes] += p[j];
        b[j % kLanes] += p[j] * (q[j] - shift);
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

std::map<int, Gradient> batch_norm(const Arrival& a) {
  auto& node = static_cast<NativeBatchNormBackward0&>(a.node);
  std::map<int, Gradient> all;
  const auto x = saved(node, node.input_), mean = saved(node, node.running_mean_), var = saved(node, node.running_var_);
  const auto type = a.delta.scalar_type();
  if (node.training || !mean.defined() || a.delta.sizes() != x.sizes() || mean.scalar_type() != type) return all;
  if ((type != at::kFloat && type != at::kDouble) || !x.device().is_cpu()) return all;
  const auto flat = [&](const at::Tensor& t) { return t.contiguous().view({t.size(0), t.size(1), -1}); };
  const auto m = mean.contiguous();
  const Sums s = type == at::kFloat ? sums<float>(flat(a.delta), flat(x), m) : sums<double>(flat(a.delta), flat(x), m);
  const auto give = [&](int slot, at::Tensor per_row) {
    if (!a.slots.count(slot)) return;
    if (per_row.size(0) != a.samples) per_row = per_row.view({a.samples, -1, per_row.size(1)}).sum(1);
    all[slot].each = [=](int64_t first, int64_t count) { return per_row.narrow(0, first, count); };
  };
  give(1, s.scaled * (var + node.eps).rsqrt());
  give(2, s.delta);
  return all;
}

}  // namespace

const Rule kBatchNorm{"batch norm", batch_norm};

}  // namespace mas
