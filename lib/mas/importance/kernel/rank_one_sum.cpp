#include "mas/importance/kernel/rank_one_sum.h"

#include <algorithm>

namespace mas {
namespace {

// Rows that wait for a product: more of them read and write the sums less often, but lie in memory.
constexpr int64_t kRows = 512, kRowsLeast = 128, kBytes = 8 << 20;
constexpr int64_t kHandedOn = 1 << 20;  // sums at a time

void copy_measured(const at::Tensor& from, int64_t first, int64_t count, Measure measure, const at::Tensor& to,
                   int64_t at) {
  const int64_t width = from.size(1);
  kernels().measure(measure, count * width, from.data_ptr<float>() + first * width, to.data_ptr<float>() + at * width);
}

}  // namespace

RankOneSum::RankOneSum(int64_t k, int64_t columns, Measure measure, bool hands_on)
    : columns_(columns), measure_(measure), hands_on_(hands_on) {
  const int64_t row = std::max<int64_t>(1, k + columns) * int64_t(sizeof(float));
  const int64_t capacity = hands_on ? kRows : std::clamp(kBytes / row, kRowsLeast, kRows);
  left_ = at::empty({capacity, k}, at::kFloat);
  right_ = at::empty({capacity, columns}, at::kFloat);
  omega_ = at::zeros({hands_on ? std::max<int64_t>(1, kHandedOn / k) : columns, k}, at::kFloat);
}

void RankOneSum::add(const at::Tensor& a, const at::Tensor& d, const Sink& sink) {
  const int64_t n = a.size(0), capacity = left_.size(0);
  for (int64_t first = 0; first < n;) {
    const int64_t count = std::min(capacity - waiting_, n - first);
    copy_measured(a, first, count, measure_, left_, waiting_);
    copy_measured(d, first, count, measure_, right_, waiting_);
    first += count;
    waiting_ += count;
    if (waiting_ == capacity) multiply(sink);
  }
}

void RankOneSum::multiply(const Sink& sink) {
  at::NoGradGuard off;
  const int64_t most = std::max<int64_t>(1, omega_.size(0));
  for (int64_t first = 0; first < columns_; first += most) {
    const int64_t count = std::min(most, columns_ - first);
    at::Tensor some = omega_.narrow(0, 0, count);
    // With beta 0 the old values aren't read, so clearing needs no pass over memory.
    at::addmm_out(some, some, right_.narrow(0, 0, waiting_).narrow(1, first, count).t(), left_.narrow(0, 0, waiting_),
                  products_ ? 1 : 0);
    if (hands_on_) sink(first, some);
  }
  waiting_ = 0;
  products_ += !hands_on_;
}

void RankOneSum::finish(const Sink& sink) {
  if (waiting_) multiply(sink);
}

at::Tensor RankOneSum::sum() {
  if (waiting_ || !products_) multiply({});
  return omega_.t();
}

}  // namespace mas
