#include "mas/importance/seeds.h"

#include <fmt/format.h>

#include <cmath>

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

// ∂ log p / ∂y = 2 (t - y), with t - y of deviation sqrt(1/2).
Seeds normal_fisher_seeds(Fisher kind) {
  if (kind == Fisher::kArgmax) throw UsageError("--fisher", "argmax is for classes, and facts have vectors");
  Seeds seeds;
  seeds.count = [kind](const at::Tensor& y) { return kind == Fisher::kExact ? y.size(1) : 1; };
  seeds.at = [kind](const at::Tensor& y, const at::Tensor& given, int64_t s) {
    if (kind == Fisher::kExact) {
      at::Tensor one = at::zeros_like(y);
      one.select(1, s).fill_(std::sqrt(2.0));
      return one;
    }
    if (given.sizes() != y.sizes())
      throw Error("the Fisher information", fmt::format("needs {} values, as outputs are, got {}",
                                                        shape_text(y.sizes()), shape_text(given.sizes())));
    if (kind == Fisher::kSampled) return (given * std::sqrt(2.0)).to(y.scalar_type());
    return (2 * (given - y)).nan_to_num(0);
  };
  return seeds;
}

at::Tensor normal_draws(at::ArrayRef<int64_t> numbers, int64_t values, uint64_t seed) {
  at::Tensor all = at::empty({static_cast<int64_t>(numbers.size()), values}, at::kDouble);
  double* to = all.data_ptr<double>();
  for (int64_t number : numbers) {
    SplitMix64 random(SplitMix64::mix(seed + static_cast<uint64_t>(number)));
    for (int64_t i = 0; i < values; i++) {  // Box and Muller 1958
      const double radius = std::sqrt(-2 * std::log(1 - static_cast<double>(random.uniform())));
      *to++ = radius * std::cos(2 * M_PI * static_cast<double>(random.uniform()));
    }
  }
  return all;
}

at::Tensor draws(at::ArrayRef<int64_t> numbers, uint64_t seed) {
  at::Tensor all = at::empty({static_cast<int64_t>(numbers.size())}, at::kDouble);
  double* to = all.data_ptr<double>();
  for (int64_t number : numbers) *to++ = SplitMix64(seed + static_cast<uint64_t>(number)).uniform();
  return all;
}

}  // namespace mas
