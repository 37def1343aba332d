#include "mas/importance/accumulator.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mas {
namespace {

constexpr int64_t kSlab = 1 << 18;     // elements turned at a time
constexpr int64_t kGrain = 1 << 18;    // floats worth waking a thread for
constexpr int64_t kInPlace = 1 << 22;  // elements that shouldn't lie in memory once more, as a panel

template <class T>
T measured(T g, Measure measure) {
  return measure == Measure::kSquare ? g * g : measure == Measure::kAbsolute ? std::fabs(g) : g;
}

// to[i] += sum over rows of f(from[row][i])
template <class Sum, class T>
void accumulate_plain(Sum* to, const T* from, int64_t rows, int64_t size, Measure measure, int64_t begin, int64_t end) {
  for (int64_t r = 0; r < rows; r++, from += size)
    for (int64_t i = begin; i < end; i++) to[i] += Sum(measured(from[i], measure));
}

// The same, from `first` on in sums.
void accumulate(const at::Tensor& sums, int64_t first, const at::Tensor& each, int64_t size, Measure measure) {
  const at::Tensor from = (each.scalar_type() == at::kDouble ? each : each.to(at::kFloat)).cpu().contiguous();
  const int64_t rows = from.numel() / size;
  const bool wide = from.scalar_type() == at::kDouble, kept_wide = sums.scalar_type() == at::kDouble;
  at::parallel_for(0, size, 1 + kGrain / std::max<int64_t>(1, rows), [&](int64_t begin, int64_t end) {
    if (wide)
      accumulate_plain(sums.data_ptr<double>() + first, from.data_ptr<double>(), rows, size, measure, begin, end);
    else if (kept_wide)
      kernels().accumulate(measure, rows, end - begin, from.data_ptr<float>() + begin, size,
                           sums.data_ptr<double>() + first + begin);
    else
      accumulate_plain(sums.data_ptr<float>() + first, from.data_ptr<float>(), rows, size, measure, begin, end);
  });
}

// to[index[n][i]] += f(sum over a sample's equal indices of values[n][i])
template <class Sum, class T>
void accumulate_rows(Sum* to, const Gradient::Rows& rows, Measure measure) {
  const int64_t samples = rows.index.size(0), count = rows.index.size(1), width = rows.values.size(2);
  const auto* index = rows.index.data_ptr<int64_t>();
  const auto* values = rows.values.data_ptr<T>();
  std::vector<int64_t> order(samples * count);  // of each sample, by index
  for (int64_t n = 0; n < samples; n++) {
    const auto begin = order.begin() + n * count;
    std::iota(begin, begin + count, n * count);
    std::stable_sort(begin, begin + count, [&](int64_t a, int64_t b) { return index[a] < index[b]; });
  }
  // Each thread has columns of its own, as samples share rows.
  at::parallel_for(0, width, 1 + kGrain / std::max<int64_t>(1, samples * count), [&](int64_t first, int64_t last) {
    std::vector<double> sum(last - first);
    for (int64_t i = 0; i < samples * count; i++) {
      const T* row = values + order[i] * width;
      for (int64_t c = first; c < last; c++) sum[c - first] += row[c];
      const bool more = (i + 1) % count != 0 && index[order[i + 1]] == index[order[i]];
      if (more) continue;
      Sum* target = to + index[order[i]] * width;
      for (int64_t c = first; c < last; c++) target[c] += Sum(measured(sum[c - first], measure));
      std::fill(sum.begin(), sum.end(), 0);
    }
  });
}

std::function<at::Tensor(const at::Tensor&)> as_seen(const std::vector<int64_t>& shape) {
  return [shape](const at::Tensor& t) { return t.reshape(shape); };
}

}  // namespace

const at::Tensor& Accumulator::sums() {
  const bool brief = brief_ && parameter_.scalar_type() == at::kFloat;
  if (!sum_.defined()) sum_ = at::zeros(parameter_.sizes(), brief ? at::kFloat : at::kDouble);
  if (sum_.use_count() > 1) sum_ = sum_.clone();  // somebody keeps what sum() gave
  return sum_;
}

void Accumulator::add(const at::Tensor& each) {
  if (parameter_.numel()) accumulate(sums(), 0, each, parameter_.numel(), measure_);
}

void Accumulator::add(const Gradient::Rows& rows) {
  const Gradient::Rows dense{rows.index.contiguous(), rows.values.contiguous()};
  if (parameter_.numel() == 0 || dense.index.numel() == 0) return;
  const at::Tensor& to = sums();
  if (dense.values.scalar_type() == at::kDouble)
    accumulate_rows<double, double>(to.data_ptr<double>(), dense, measure_);
  else if (to.scalar_type() == at::kDouble)
    accumulate_rows<double, float>(to.data_ptr<double>(), dense, measure_);
  else
    accumulate_rows<float, float>(to.data_ptr<float>(), dense, measure_);
}

void Accumulator::add_sum(const at::Tensor& sum) {
  sums();
  sum_.add_(sum);
}

Accumulator::Panels& Accumulator::panels(const std::string& kind, int64_t groups, int64_t k, int64_t columns,
                                         const Leaf& leaf, std::function<at::Tensor(const at::Tensor&)> arrange) {
  const std::string layout =
      kind + leaf.signature() + std::to_string(groups) + "," + std::to_string(k) + "," + std::to_string(columns);
  for (auto& p : panels_)
    if (p->layout == layout) return *p;
  panels_.emplace_back(new Panels{layout, leaf, std::move(arrange), nullptr, nullptr});
  return *panels_.back();
}

void Accumulator::add(const Gradient::Kernel& kernel, const Leaf& leaf) {
  const std::string kind = kernel.channels_last ? "outer, channels last" : "outer";
  Panels& p = panels(kind, kernel.groups, kernel.k, kernel.columns, leaf, kernel.arrange);
  if (!p.outer) p.outer = std::make_unique<OuterSum>(kernel.groups, kernel.k, kernel.columns, measure_);
  kernel.add(*p.outer);
}

void Accumulator::add(const Gradient::Product& product, const Leaf& leaf, int64_t samples) {
  const at::Tensor a = product.left.contiguous(), d = product.right.contiguous();
  const int64_t rows = a.size(0) / samples, k = a.size(1), columns = d.size(1);
  if (rows == 1) return add_rank_one(a, d, product.seen, leaf);
  Panels& p = panels("outer", 1, k, columns, leaf, as_seen(product.seen));
  if (!p.outer) p.outer = std::make_unique<OuterSum>(1, k, columns, measure_);
  std::vector<int64_t> offset(k);
  for (int64_t i = 0; i < k; i++) offset[i] = i;
  p.outer->add(samples, {a.data_ptr<float>(), rows * k, 0}, offset, {d.data_ptr<float>(), rows * columns, 1, columns},
               {1, rows, 0, k});
}

// Samples of one row each: left [n, k], right [n, columns].
void Accumulator::add_rank_one(const at::Tensor& left, const at::Tensor& right, const std::vector<int64_t>& seen,
                               const Leaf& leaf) {
  const int64_t k = left.size(1), columns = right.size(1);
  Panels& p = panels("rank one", 1, k, columns, leaf, as_seen(seen));
  if (!p.rank_one) {
    p.in_place = k * columns >= kInPlace && seen.size() == 2 && leaf.transposes();
    p.turned = p.in_place && leaf.chain.size() % 2 == 0;  // columns are the parameter's rows otherwise
    p.rank_one = std::make_unique<RankOneSum>(p.turned ? columns : k, p.turned ? k : columns, measure_, p.in_place);
  }
  p.rank_one->add(p.turned ? right : left, p.turned ? left : right, in_place());
}

RankOneSum::Sink Accumulator::in_place() {
  return [this](int64_t first, const at::Tensor& some) {
    accumulate(sums(), first * some.size(1), some, some.numel(), Measure::kNone);
  };
}

void Accumulator::flush(bool everything) {
  for (auto& p : panels_) {
    if (p->in_place) {
      if (everything) p->rank_one->finish(in_place());
      continue;
    }
    if (p->rank_one && !everything && p->rank_one->exact()) continue;
    const at::Tensor panel = p->outer ? p->outer->take() : p->rank_one->sum().unsqueeze(0);
    const at::Tensor omega = p->leaf.pull(p->arrange(panel)).reshape(parameter_.sizes());
    if (!parameter_.numel()) continue;
    // Often transposed; copied a slab at a time, not whole.
    const int64_t rows = parameter_.dim() ? parameter_.size(0) : 1, row = parameter_.numel() / rows;
    const int64_t most = std::max<int64_t>(1, kSlab / row);
    for (int64_t r = 0; r < rows; r += most) {
      const at::Tensor slab = parameter_.dim() ? omega.narrow(0, r, std::min(most, rows - r)) : omega;
      accumulate(sums(), r * row, slab, slab.numel(), Measure::kNone);
    }
    if (p->rank_one) p->rank_one->clear();
  }
}

at::Tensor Accumulator::sum() {
  at::NoGradGuard no_grad;
  flush(true);
  sums();
  return sum_;
}

}  // namespace mas
