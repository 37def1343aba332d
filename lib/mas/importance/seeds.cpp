#include "mas/importance/seeds.h"

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/random.h"
#include "mas/text.h"

namespace mas {

Seeds squared_norm_seeds() {
  return {[](const at::Tensor&) { return int64_t{1}; },
          [](const at::Tensor& y, const at::Tensor&, int64_t) { return 2 * y; }};
}

Fisher parse_fisher(const std::string& text) {
  if (text == "exact") return Fisher::kExact;
  if (text == "sampled") return Fisher::kSampled;
  if (text == "empirical") return Fisher::kEmpirical;
  if (text == "argmax") return Fisher::kArgmax;
  throw UsageError("--fisher", fmt::format("must be exact, sampled, empirical or argmax, got {}", text));
}

Seeds fisher_seeds(Fisher kind) {
  Seeds seeds;
  seeds.count = [kind](const at::Tensor& y) {
    if (y.dim() == 2) return kind == Fisher::kExact ? y.size(1) : 1;
    throw Error("network", fmt::format("the Fisher information needs outputs [samples, classes], but these are {}",
                                       shape_text(y.sizes())));
  };
  // ∂ log p_c / ∂y = e_c - p
  seeds.at = [kind](const at::Tensor& y, const at::Tensor& given, int64_t s) {
    const at::Tensor p = at::softmax(y, 1);
    if (kind == Fisher::kExact) {
      at::Tensor score = -p;
      score.select(1, s).add_(1);
      return score.mul_(p.narrow(1, s, 1).sqrt());
    }
    at::Tensor chosen = given;
    if (kind == Fisher::kArgmax) {
      chosen = y.argmax(1);
    } else if (kind == Fisher::kSampled) {
      const at::Tensor below = p.to(at::kDouble).cumsum(1).le(given.unsqueeze(1));
      chosen = below.sum(1).clamp_max(y.size(1) - 1);
    } else if (chosen.max().item<int64_t>() >= y.size(1)) {
      throw Error("labels", fmt::format("{} has no output, there are {}", chosen.max().item<int64_t>(), y.size(1)));
    }
    return (-p).scatter_add(1, chosen.unsqueeze(1), at::ones_like(p.narrow(1, 0, 1)));
  };
  return seeds;
}

at::Tensor draws(at::ArrayRef<int64_t> numbers, uint64_t seed) {
  at::Tensor all = at::empty({static_cast<int64_t>(numbers.size())}, at::kDouble);
  double* to = all.data_ptr<double>();
  for (int64_t number : numbers) *to++ = SplitMix64(seed + static_cast<uint64_t>(number)).uniform();
  return all;
}

}  // namespace mas
