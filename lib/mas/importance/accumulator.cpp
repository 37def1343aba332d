#include "mas/importance/accumulator.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

namespace mas {
namespace {

constexpr int64_t kSlab = 1 << 18;   // elements turned at a time
constexpr int64_t kGrain = 1 << 18;  // floats worth waking a thread for

// to[i] += sum over rows of f(from[row][i])
void accumulate(double* to, const at::Tensor& each, int64_t size, Measure measure) {
  const at::Tensor from = (each.scalar_type() == at::kDouble ? each : each.to(at::kFloat)).cpu().contiguous();
  const int64_t rows = from.numel() / size;
  at::parallel_for(0, size, 1 + kGrain / std::max<int64_t>(1, rows), [&](int64_t begin, int64_t end) {
    if (from.scalar_type() == at::kFloat) {
      kernels().accumulate(measure, rows, end - begin, from.data_ptr<float>() + begin, size, to + begin);
      return;
    }
    const double* row = from.data_ptr<double>();
    for (int64_t r = 0; r < rows; r++, row += size)
      for (int64_t i = begin; i < end; i++) {
        const double g = row[i];
        to[i] += measure == Measure::kSquare ? g * g : measure == Measure::kAbsolute ? std::fabs(g) : g;
      }
  });
}

at::Tensor first_of_one(const at::Tensor& t) { return t[0]; }

}  // namespace

double* Accumulator::sums() {
  if (!sum_.defined()) sum_ = at::zeros(parameter_.sizes(), at::kDouble);
  return sum_.data_ptr<double>();
}

void Accumulator::add(const at::Tensor& each) {
  if (parameter_.numel()) accumulate(sums(), each, parameter_.numel(), measure_);
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
  Panels& p = panels("outer", kernel.groups, kernel.k, kernel.columns, leaf, kernel.arrange);
  if (!p.outer) p.outer = std::make_unique<OuterSum>(kernel.groups, kernel.k, kernel.columns, measure_);
  kernel.add(*p.outer);
}

void Accumulator::add(const Gradient::Product& product, const Leaf& leaf, int64_t samples) {
  const at::Tensor a = product.left.contiguous(), d = product.right.contiguous();
  const int64_t rows = a.size(0) / samples, k = a.size(1), columns = d.size(1);
  if (rows == 1) {
    Panels& p = panels("rank one", 1, k, columns, leaf, first_of_one);
    if (!p.rank_one) p.rank_one = std::make_unique<RankOneSum>(k, columns, measure_);
    p.rank_one->add(a, d);
    return;
  }
  Panels& p = panels("outer", 1, k, columns, leaf, first_of_one);
  if (!p.outer) p.outer = std::make_unique<OuterSum>(1, k, columns, measure_);
  std::vector<int64_t> offset(k);
  for (int64_t i = 0; i < k; i++) offset[i] = i;
  p.outer->add(samples, {a.data_ptr<float>(), rows * k, 0}, offset, {d.data_ptr<float>(), rows * columns, 1, columns},
               {1, rows, 0, k});
}

void Accumulator::flush(bool everything) {
  for (auto& p : panels_) {
    if (p->rank_one && !everything && p->rank_one->exact()) continue;
    const at::Tensor panel = p->outer ? p->outer->take() : p->rank_one->sum().unsqueeze(0);
    const at::Tensor omega = p->leaf.pull(p->arrange(panel)).reshape(parameter_.sizes());
    if (!parameter_.numel()) continue;
    // Often transposed; copied a slab at a time, not whole.
    const int64_t rows = parameter_.dim() ? parameter_.size(0) : 1, row = parameter_.numel() / rows;
    const int64_t most = std::max<int64_t>(1, kSlab / row);
    for (int64_t r = 0; r < rows; r += most) {
      const at::Tensor slab = parameter_.dim() ? omega.narrow(0, r, std::min(most, rows - r)) : omega;
      accumulate(sums() + r * row, slab, slab.numel(), Measure::kNone);
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
