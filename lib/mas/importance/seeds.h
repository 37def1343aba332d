#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mas {

/// What is measured, as gradients with respect to the network's outputs: a backward pass starts from each, and what the
/// passes give for a parameter adds up after |.| or the square.
struct Seeds {
  /// How many there are for outputs y [n, ...]. Throws Error for outputs that have none.
  std::function<int64_t(const at::Tensor& y)> count;
  /// The s-th, of y's shape; given: Samples::given.
  std::function<at::Tensor(const at::Tensor& y, const at::Tensor& given, int64_t s)> at;
};

/// 2y, the gradient of ‖y‖² (Aljundi et al., section 4.1).
Seeds squared_norm_seeds();

/// Whose log-likelihood's squared gradients make the Fisher information's diagonal (Kirkpatrick et al. 2017).
enum class Fisher {
  kExact,      ///< the expectation over the network's own distribution: Σ_c p_c (∂ log p_c)², a pass a class
  kSampled,    ///< one class drawn from that distribution for each sample
  kEmpirical,  ///< the label's
  kArgmax      ///< the class with the largest output, as the published code of Hsu et al. 2018 has it
};
Fisher parse_fisher(const std::string& text);  ///< throws UsageError

/// y [n, classes], outputs before the softmax; throws Error for another shape. given: kSampled: float64 draws from [0,
/// 1); kEmpirical: int64 indices of outputs.
Seeds fisher_seeds(Fisher kind);

/// The same of outputs that are the means of normal distributions with variance 1/2, whose log-likelihood is the
/// squared distance but for a constant: outputs that are compared with vectors. kExact: Σ_c 2 (∂ y_c)², a pass an
/// output. given: kSampled: float64 draws [n, outputs] from the standard normal distribution; kEmpirical: vectors [n,
/// outputs], NaN where there is no value to compare with. There is no kArgmax.
Seeds normal_fisher_seeds(Fisher kind);

/// float64 [n, values], from the standard normal distribution: each row depends on the seed and its number alone.
at::Tensor normal_draws(at::ArrayRef<int64_t> numbers, int64_t values, uint64_t seed);

/// float64 [n] in [0, 1): each depends on the seed and its number alone.
at::Tensor draws(at::ArrayRef<int64_t> numbers, uint64_t seed);

}  // namespace mas
