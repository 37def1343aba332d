#include "mas/importance/accumulator.h"

#include <ATen/Parallel.h>

#include <cmath>

namespace mas {
namespace {

constexpr int64_t kRankOneRows = 128;  // rows that are worth a product
constexpr int64_t kSlab = 1 << 18;     // elements turned at a time

// to[i] += sum over rows of f(from[row][i])
template <class T>
void accumulate(double* to, const T* from, int64_t rows, int64_t size, Measure measure) {
  at::parallel_for(0, size, 1 + (1 << 17) / std::max<int64_t>(1, rows), [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; r++) {
      const T* row = from + r * size;
      if (measure == Measure::kSquare)
        for (int64_t i = begin; i < end; i++) to[i] += double(row[i]) * row[i];
      else if (measure == Measure::kAbsolute)
        for (int64_t i = begin; i < end; i++) to[i] += std::fabs(row[i]);
      else
        for (int64_t i = begin; i < end; i++) to[i] += row[i];
    }
  });
}

void accumulate(double* to, const at::Tensor& each, int64_t size, Measure measure) {
  const at::Tensor from = each.cpu().contiguous();
  if (from.scalar_type() == at::kFloat)
    accumulate(to, from.data_ptr<float>(), from.numel() / size, size, measure);
  else if (from.scalar_type() == at::kDouble)
    accumulate(to, from.data_ptr<double>(), from.numel() / size, size, measure);
  else
    accumulate(to, from.to(at::kFloat), size, measure);
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

OuterSum& Accumulator::panels(int64_t groups, int64_t k, int64_t columns, const Leaf& leaf,
                              std::function<at::Tensor(const at::Tensor&)> arrange) {
  const std::string layout =
      leaf.signature() + std::to_string(groups) + "," + std::to_string(k) + "," + std::to_string(columns);
  for (auto& p : panels_)
    if (p->layout == layout) return (current_ = p.get())->omega;
  panels_.emplace_back(new Panels{OuterSum(groups, k, columns, measure_), leaf, layout, std::move(arrange), {}, {}, 0});
  return (current_ = panels_.back().get())->omega;
}

void Accumulator::add(const Gradient::Kernel& kernel, const Leaf& leaf) {
  kernel.add(panels(kernel.groups, kernel.k, kernel.columns, leaf, kernel.arrange));
}

void Accumulator::add(const Gradient::Product& product, const Leaf& leaf, int64_t samples) {
  const at::Tensor a = product.left.contiguous(), d = product.right.contiguous();
  const int64_t rows = a.size(0) / samples, k = a.size(1), columns = d.size(1);
  OuterSum& omega = panels(1, k, columns, leaf, first_of_one);
  if (rows == 1) {
    current_->left.push_back(a);
    current_->right.push_back(d);
    current_->waiting += samples;
    if (current_->waiting >= kRankOneRows) add_waiting();
    return;
  }
  std::vector<int64_t> offset(k);
  for (int64_t i = 0; i < k; i++) offset[i] = i;
  omega.add(samples, {a.data_ptr<float>(), rows * k, 0}, offset, {d.data_ptr<float>(), rows * columns, 1, columns},
            {1, rows, 0, k});
}

void Accumulator::add_waiting() {
  Panels& p = *current_;
  if (!p.waiting) return;
  const at::Tensor a = p.left.size() == 1 ? p.left[0] : at::cat(p.left);
  const at::Tensor d = p.right.size() == 1 ? p.right[0] : at::cat(p.right);
  p.omega.add_rank_one(p.waiting, a.data_ptr<float>(), d.data_ptr<float>());
  p.left.clear();
  p.right.clear();
  p.waiting = 0;
}

void Accumulator::flush() {
  for (auto& p : panels_) {
    current_ = p.get();
    add_waiting();
    const at::Tensor omega = p->leaf.pull(p->arrange(p->omega.take())).reshape(parameter_.sizes());
    if (!parameter_.numel()) continue;
    // Often transposed; copied a slab at a time, not whole.
    const int64_t rows = parameter_.dim() ? parameter_.size(0) : 1, row = parameter_.numel() / rows;
    const int64_t most = std::max<int64_t>(1, kSlab / row);
    for (int64_t r = 0; r < rows; r += most) {
      const at::Tensor slab = parameter_.dim() ? omega.narrow(0, r, std::min(most, rows - r)) : omega;
      accumulate(sums() + r * row, slab, slab.numel(), Measure::kNone);
    }
  }
}

at::Tensor Accumulator::sum() {
  at::NoGradGuard no_grad;
  flush();
  sums();
  return sum_;
}

}  // namespace mas
