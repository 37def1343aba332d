#include "mas/importance/samples.h"

#include <fmt/format.h>

#include <cmath>

#include "mas/error.h"

namespace mas {

Samples Samples::narrow(int64_t first, int64_t count) const {
  return {x.narrow(0, first, count), given.defined() ? given.narrow(0, first, count) : given,
          std::vector<int64_t>(numbers.begin() + first, numbers.begin() + first + count)};
}

Samples Samples::select(const std::vector<int64_t>& rows) const {
  const auto index = at::tensor(rows, at::kLong).to(x.device());
  Samples some{x.index_select(0, index), given.defined() ? given.index_select(0, index) : given, {}};
  for (int64_t row : rows) some.numbers.push_back(numbers[row]);
  return some;
}

void check_outputs(const at::Tensor& y, const Samples& samples) {
  const int64_t n = samples.size();
  if (n > 1 && (y.dim() == 0 || y.size(0) != n)) throw Error("network", "samples aren't along the first dimension");
  const at::Tensor rows = y.detach().reshape({n, -1});
  if (rows.numel() == 0 || std::isfinite(rows.sum().item<double>())) return;  // an overflowing sum is looked at below
  const at::Tensor bad = at::isfinite(rows).logical_not_().any(1);
  for (int64_t i = 0; i < n; i++) {
    if (!bad[i].item<bool>()) continue;
    throw Error(fmt::format("sample {}", samples.numbers[i] + 1), "the network's output isn't finite");
  }
}

}  // namespace mas
