#include "mas/importance/seeds.h"

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/random.h"
#include "mas/text.h"

namespace mas {

Seeds squared_norm_seeds() {
  return [](const at::Tensor& y, const at::Tensor&) { return std::vector<at::Tensor>{2 * y}; };
}

Fisher parse_fisher(const std::string& text) {
  if (text == "exact") return Fisher::kExact;
  if (text == "sampled") return Fisher::kSampled;
  if (text == "empirical") return Fisher::kEmpirical;
  throw UsageError("--fisher", fmt::format("must be exact, sampled or empirical, got {}", text));
}

Seeds fisher_seeds(Fisher kind) {
  return [kind](const at::Tensor& y, const at::Tensor& given) {
    if (y.dim() != 2) {
      throw Error("network", fmt::format("the Fisher information needs outputs [samples, classes], but these are {}",
                                         shape_text(y.sizes())));
    }
    const at::Tensor p = at::softmax(y, 1);
    std::vector<at::Tensor> seeds;
    // ∂ log p_c / ∂y = e_c - p
    if (kind == Fisher::kExact) {
      for (int64_t c = 0; c < y.size(1); c++) {
        at::Tensor score = -p;
        score.select(1, c).add_(1);
        seeds.push_back(score.mul_(p.narrow(1, c, 1).sqrt()));
      }
      return seeds;
    }
    at::Tensor chosen = given;
    if (kind == Fisher::kSampled) {
      const at::Tensor below = p.to(at::kDouble).cumsum(1).le(given.unsqueeze(1));
      chosen = below.sum(1).clamp_max(y.size(1) - 1);
    }
    seeds.push_back((-p).scatter_add(1, chosen.unsqueeze(1), at::ones_like(p.narrow(1, 0, 1))));
    return seeds;
  };
}

at::Tensor draws(const std::vector<int64_t>& numbers, uint64_t seed) {
  at::Tensor all = at::empty({static_cast<int64_t>(numbers.size())}, at::kDouble);
  double* to = all.data_ptr<double>();
  for (int64_t number : numbers) *to++ = SplitMix64(SplitMix64::mix(seed) + static_cast<uint64_t>(number)).uniform();
  return all;
}

}  // namespace mas
