#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mas/importance/seeds.h"
#include "mas/tensors.h"

namespace mas {

/// F: a batch [n, ...] to outputs before any softmax, [n, ...]; in eval mode. Of a TorchScript module: call
/// torch::jit::setGraphExecutorOptimize(false) first, or its layers hide in fused graphs and all parameters take the
/// loop.
using Forward = std::function<at::Tensor(const at::Tensor& x)>;

enum class Method {
  kMas,    ///< |d ||F(x_n)||_2^2 / d theta|                              (Aljundi et al., eq. 3 and section 4.1)
  kLocal,  ///< |d ||y_l(x_n)||_2^2 / d theta_l| of each layer on its own  (the same, section 4.2: Hebb's rule)
  kFisher  ///< (d log p(c | x_n) / d theta)^2, the Fisher information's diagonal (Kirkpatrick et al. 2017)
};

struct EstimatorOptions {
  Method method = Method::kMas;
  Fisher fisher = Fisher::kExact;  ///< of kFisher: which classes c
  bool vectors = false;            ///< of kFisher: outputs are compared with vectors, see normal_fisher_seeds()
  int64_t batch_average = 0;       ///< 0: exact; N: |.| of the gradient of N samples at a time (estimator batch:N)
  int64_t check_samples = 3;       ///< samples that the fast path is compared on at a time, two at least; 0: never
  double check_tolerance = 1e-4;   ///< of the largest value of a tensor, and of the sum of its values
  int64_t memory = 0;              ///< bytes that a pass may take beside the model and the sums; 0: no bound
  bool loop = false;               ///< the one-sample loop for every parameter: the reference, slow
};

/// How one parameter's importance is computed, for --verbose.
struct Path {
  std::string parameter;
  std::string path;  ///< "linear", "convolution", ..., "loop", "batch", "unused" (no gradient), "no local rule"
  std::string why;   ///< empty, or why not faster
};

/// Sums importance over samples: exact, one |gradient| a sample, at about the price of one batched pass.
/// The result doesn't depend on the batches in which samples arrive (up to rounding, 1e-5), nor on threads.
///
/// What the fast path gives is compared with one-sample backward passes. The first batch has to give the same outputs
/// in another order, and 16 samples spread over it the same as in the whole. Of these, some are seeded alone, one after
/// the other, so that couplings between samples show, and where each sample lies. A parameter that disagrees takes the
/// loop, and paths() says so. The comparison is made again
/// - when the network's graph or a sample's shape has changed;
/// - where a parameter's importance was 0 in the samples compared: before any of it counts;
/// - from time to time: one that disagrees then, after it was trusted, is an Error.
/// Rounding decides some ReLUs and poolings in another way for a sample alone than in a batch: what differs a little is
/// compared again without other decisions (self_check.h). A network whose samples influence one another now and then,
/// by their values, can pass between comparisons; batches of one sample are always right.
class Estimator {
 public:
  /// parameters: leaves of F's graph under their names (one leaf may have several); requires_grad is set on them.
  Estimator(Forward forward, NamedTensors parameters, const EstimatorOptions& options = {});
  ~Estimator();
  Estimator(Estimator&&) noexcept;

  /// Feeds a batch [n, ...]. `given`: for Fisher::kEmpirical the labels, int64 [n], as indices of outputs, or vectors
  /// [n, outputs]; for kSampled draws() or normal_draws() of each sample. Throws Error when that is missing, when F's
  /// output has another number of rows, or isn't finite: naming the sample then, counted from 1 over all that were fed.
  void add(const at::Tensor& x, const at::Tensor& given = {});
  /// How many samples of x's shape are taken at a time: as many as make it faster, in the memory allowed. Where their
  /// tensors are larger than 32 MB, an allocator that keeps such blocks is worth having (mallopt(3), M_MMAP_MAX).
  int64_t part_size(const at::Tensor& x);
  /// float64 sums over all samples fed; every parameter has one (0 where F doesn't use it). Throws Error naming the
  /// parameter when one isn't finite.
  NamedTensors sum();
  int64_t count() const;
  /// One row a parameter, in their order; complete after the first add().
  std::vector<Path> paths() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mas
