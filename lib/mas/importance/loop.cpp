#include "mas/importance/loop.h"

#include <torch/csrc/autograd/autograd.h>

namespace mas {
namespace {

// Restores every parameter's requires_grad, also when F throws.
class OnlyChosen {
 public:
  OnlyChosen(const std::vector<at::Tensor>& parameters, const std::vector<int>& chosen) : parameters_(parameters) {
    for (const auto& p : parameters) {
      before_.push_back(p.requires_grad());
      p.set_requires_grad(false);
    }
    for (int i : chosen) parameters[i].set_requires_grad(true);
  }
  ~OnlyChosen() {
    for (size_t i = 0; i < parameters_.size(); i++) parameters_[i].set_requires_grad(before_[i]);
  }
  OnlyChosen(const OnlyChosen&) = delete;
  OnlyChosen& operator=(const OnlyChosen&) = delete;

 private:
  const std::vector<at::Tensor>& parameters_;
  std::vector<bool> before_;
};

}  // namespace

void loop_gradients(const Forward& forward, const std::vector<at::Tensor>& parameters, const std::vector<int>& chosen,
                    const Samples& samples, const Seeds& seeds, int64_t block,
                    const std::function<void(int, const at::Tensor&)>& give) {
  if (chosen.empty()) return;
  const OnlyChosen only(parameters, chosen);
  std::vector<at::Tensor> wanted;
  for (int i : chosen) wanted.push_back(parameters[i]);
  for (int64_t n = 0; n < samples.size(); n += block) {
    at::AutoGradMode on(true);
    const Samples few = samples.narrow(n, std::min(block, samples.size() - n));
    const at::Tensor y = forward(few.x);
    check_outputs(y, few);
    const int64_t count = seeds.count(y);
    for (int64_t s = 0; s < count; s++) {
      std::vector<at::Tensor> gradients(wanted.size());
      const at::Tensor seed = seeds.at(y.detach(), few.given, s);
      if (y.requires_grad()) gradients = torch::autograd::grad({y}, wanted, {seed}, s + 1 < count, false, true);
      at::NoGradGuard off;
      for (size_t i = 0; i < chosen.size(); i++) {
        const auto& g = gradients[i];
        give(chosen[i], g.defined() && g.is_sparse() ? g.to_dense() : g);
      }
    }
  }
}

}  // namespace mas
