#include "mas/importance/batch_average.h"

#include <numeric>

namespace mas {

BatchAverage::BatchAverage(Forward forward, std::vector<at::Tensor> parameters, int64_t batch)
    : forward_(std::move(forward)),
      parameters_(std::move(parameters)),
      everyone_(parameters_.size()),
      used_(parameters_.size()),
      batch_(batch) {
  std::iota(everyone_.begin(), everyone_.end(), 0);
  for (const auto& p : parameters_) sums_.emplace_back(p, Measure::kAbsolute);
}

// The first samples of those that wait.
void BatchAverage::blocks(int64_t samples, const std::function<void(int, const at::Tensor&)>& give) {
  if (buffer_.size() != 1) buffer_ = {at::cat(buffer_)};
  Samples all{buffer_[0].narrow(0, 0, samples), {}, std::vector<int64_t>(samples)};
  std::iota(all.numbers.begin(), all.numbers.end(), count_);
  loop_gradients(forward_, parameters_, everyone_, all, squared_norm_seeds(), batch_, [&](int i, const at::Tensor& g) {
    if (!g.defined()) return;
    used_[i] = true;
    give(i, g);
  });
}

void BatchAverage::add(const at::Tensor& x) {
  buffer_.push_back(x);
  waiting_ += x.size(0);
  const int64_t whole = waiting_ / batch_ * batch_;
  if (whole == 0) {
    buffer_.back() = x.clone();  // the caller may use its memory again
    return;
  }
  at::NoGradGuard off;
  blocks(whole, [&](int i, const at::Tensor& g) { sums_[i].add(g.unsqueeze(0)); });
  count_ += whole;
  waiting_ -= whole;
  buffer_ =
      waiting_ ? std::vector<at::Tensor>{buffer_[0].narrow(0, whole, waiting_).clone()} : std::vector<at::Tensor>();
}

std::vector<at::Tensor> BatchAverage::sums() {
  at::NoGradGuard off;
  std::vector<at::Tensor> all;
  for (auto& s : sums_) all.push_back(s.sum().clone());
  if (waiting_) blocks(waiting_, [&](int i, const at::Tensor& g) { all[i].add_(g.abs().to(at::kDouble).cpu()); });
  return all;
}

}  // namespace mas
