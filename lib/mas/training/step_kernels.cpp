#include "mas/training/step_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "mas/training/step_kernels.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mas {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The gradient of the loss, weight decay and (gradient step) penalty.
template <class D, class V>
HWY_INLINE V full_gradient(D d, V parameter, V gradient, V omega, V anchor, const StepScalars& s) {
  V g = hn::MulAdd(hn::Set(d, s.weight_decay), parameter, gradient);
  if (!s.proximal) g = hn::MulAdd(hn::Mul(hn::Set(d, s.stiffness), omega), hn::Sub(parameter, anchor), g);
  return g;
}

// θ ← (θ + sΩθ*) / (1 + sΩ), written as a pull towards θ*, so that a parameter with Ω = 0 isn't rounded.
template <class D, class V>
HWY_INLINE V pull(D d, V parameter, V omega, V anchor, const StepScalars& s) {
  if (!s.proximal) return parameter;
  const V stiffness = hn::Mul(hn::Set(d, s.stiffness), omega);
  const V share = hn::Div(stiffness, hn::Add(hn::Set(d, 1.0f), stiffness));
  return hn::MulAdd(share, hn::Sub(anchor, parameter), parameter);
}

// Stores where the step leads, and what it adds to the path.
template <class D, class V>
HWY_INLINE void finish(D d, const StepSlices& t, size_t i, V start, V gradient, V end) {
  hn::StoreU(end, d, t.parameter + i);
  if (t.path) hn::StoreU(hn::MulAdd(gradient, hn::Sub(start, end), hn::LoadU(d, t.path + i)), d, t.path + i);
}

template <class D>
HWY_INLINE void sgd_lanes(D d, const StepSlices& t, size_t i, const StepScalars& s) {
  const auto zero = hn::Zero(d);
  const auto start = hn::LoadU(d, t.parameter + i), gradient = hn::LoadU(d, t.gradient + i);
  const auto omega = t.omega ? hn::LoadU(d, t.omega + i) : zero;
  const auto anchor = t.omega ? hn::LoadU(d, t.anchor + i) : zero;
  auto g = full_gradient(d, start, gradient, omega, anchor, s);
  if (t.first) {
    g = hn::MulAdd(hn::Set(d, s.momentum), hn::LoadU(d, t.first + i), g);
    hn::StoreU(g, d, t.first + i);
  }
  const auto end = hn::NegMulAdd(hn::Set(d, s.lr), g, start);
  finish(d, t, i, start, gradient, t.omega ? pull(d, end, omega, anchor, s) : end);
}

template <class D>
HWY_INLINE void adam_lanes(D d, const StepSlices& t, size_t i, const StepScalars& s) {
  const auto zero = hn::Zero(d);
  const auto start = hn::LoadU(d, t.parameter + i), gradient = hn::LoadU(d, t.gradient + i);
  const auto omega = t.omega ? hn::LoadU(d, t.omega + i) : zero;
  const auto anchor = t.omega ? hn::LoadU(d, t.anchor + i) : zero;
  const auto g = full_gradient(d, start, gradient, omega, anchor, s);
  auto first = hn::LoadU(d, t.first + i), second = hn::LoadU(d, t.second + i);
  first = hn::MulAdd(hn::Set(d, s.momentum), first, hn::Mul(hn::Set(d, s.new_mean), g));
  second = hn::MulAdd(hn::Set(d, s.beta2), second, hn::Mul(hn::Set(d, s.new_square), hn::Mul(g, g)));
  hn::StoreU(first, d, t.first + i);
  hn::StoreU(second, d, t.second + i);
  const auto scale = hn::MulAdd(hn::Sqrt(second), hn::Set(d, s.root_bias), hn::Set(d, s.eps));
  const auto end = hn::NegMulAdd(hn::Set(d, s.lr), hn::Div(first, scale), start);
  finish(d, t, i, start, gradient, t.omega ? pull(d, end, omega, anchor, s) : end);
}

// Whole vectors, then the rest one by one.
#define MAS_STEP(name)                                                           \
  void name(const StepSlices& t, const StepScalars& s) {                         \
    const hn::ScalableTag<float> d;                                              \
    size_t i = 0;                                                                \
    for (; i + hn::Lanes(d) <= t.n; i += hn::Lanes(d)) name##_lanes(d, t, i, s); \
    const hn::CappedTag<float, 1> one;                                           \
    for (; i < t.n; i++) name##_lanes(one, t, i, s);                             \
  }
MAS_STEP(sgd)
MAS_STEP(adam)
#undef MAS_STEP

}  // namespace HWY_NAMESPACE
}  // namespace mas
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mas {
HWY_EXPORT(sgd);
HWY_EXPORT(adam);
void sgd_step(const StepSlices& slices, const StepScalars& scalars) { HWY_DYNAMIC_DISPATCH(sgd)(slices, scalars); }
void adam_step(const StepSlices& slices, const StepScalars& scalars) { HWY_DYNAMIC_DISPATCH(adam)(slices, scalars); }
}  // namespace mas
#endif
