#include "mas/importance/estimator.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "mas/error.h"
#include "mas/importance/accumulator.h"
#include "mas/importance/check.h"
#include "mas/importance/loop.h"
#include "mas/importance/pass.h"

namespace mas {
namespace {

constexpr int64_t kFlushSamples = 1024;  // float32 sums of more lose digits
// A batch is taken in parts whose widest tensor stays in the cache, and below the 32 MiB from which glibc maps each
// block anew. Every part reads all weights, though: many of them are worth larger parts. Measured.
constexpr int64_t kPartBytes = 12 << 20, kPartBytesMost = 28 << 20, kWeightsAPartByte = 8;
constexpr int64_t kReferenceElements = 1 << 24;  // parameters compared at a time

// Throws Error when y has a value that isn't finite. first: how many samples of the run came before y's first.
void require_finite(const at::Tensor& y, int64_t first, int64_t samples) {
  const at::Tensor rows = y.detach().reshape({samples, -1});
  if (rows.numel() == 0 || std::isfinite(rows.sum().item<double>())) return;  // an overflowing sum is looked at below
  const at::Tensor bad = at::isfinite(rows).logical_not_().any(1);
  for (int64_t n = 0; n < samples; n++)
    if (bad[n].item<bool>())
      throw Error("sample " + std::to_string(first + n + 1), "the network's output isn't finite");
}

}  // namespace

class Estimator::Impl {
 public:
  Impl(Forward forward, NamedTensors parameters, const EstimatorOptions& options);
  void add(const at::Tensor& x);
  NamedTensors sum();
  int64_t count() const { return count_ + waiting_; }
  std::vector<Path> paths() const;

 private:
  void add_exactly(const at::Tensor& x);
  void add_blocks(bool last, const std::function<void(int, const at::Tensor&)>& give);
  void add_part(const at::Tensor& x);
  void loop(const at::Tensor& x, const std::vector<int64_t>& rows, const std::vector<int>& chosen,
            std::vector<Accumulator>& to);
  std::vector<int> to_check(const Graph& graph, bool several) const;
  void check(const at::Tensor& x, const std::vector<int>& chosen, const Graph& graph);
  void refuse(int parameter, const std::string& why);
  std::vector<int> looped() const;
  std::string use_of(const Graph& graph, int parameter, bool several) const;

  Forward forward_;
  EstimatorOptions options_;
  std::vector<std::pair<std::string, int>> names_;  // and which parameter it is
  std::vector<at::Tensor> parameters_;
  ParameterIndex index_;
  std::vector<Accumulator> sums_;
  std::vector<bool> active_;  // by rules; the others take the loop, or have no local rule
  std::vector<std::string> rules_, reasons_;
  std::vector<bool> disagrees_;                      // kLocal: takes one-sample passes
  std::set<std::pair<int, std::string>> confirmed_;  // parameters, and the uses of them that were compared
  std::vector<int64_t> next_check_;                  // part number: for those without importance in samples compared
  int64_t count_ = 0, parts_ = 0, unflushed_ = 0, widest_ = 0;
  std::vector<at::Tensor> buffer_;  // estimator batch:N
  int64_t waiting_ = 0;
};

Estimator::Impl::Impl(Forward forward, NamedTensors parameters, const EstimatorOptions& options)
    : forward_(std::move(forward)), options_(options) {
  if (options.batch_average < 0) throw Error("batches to average", "must not be negative");
  if (options.batch_average && options.method == Method::kLocal)
    throw Error("batches to average", "not with the local method");
  for (auto& [name, tensor] : parameters) {
    if (!tensor.is_leaf()) throw Error(name, "not a leaf of the network's graph");
    if (!tensor.is_floating_point()) throw Error(name, "not a floating-point tensor");
    const auto [found, fresh] = index_.emplace(tensor.unsafeGetTensorImpl(), int(parameters_.size()));
    names_.emplace_back(name, found->second);
    if (!fresh) continue;
    tensor.set_requires_grad(true);
    parameters_.push_back(tensor);
    sums_.emplace_back(tensor, Measure::kAbsolute);
  }
  const bool rules = !options.loop || options.method == Method::kLocal;
  active_.assign(parameters_.size(), rules && !options.batch_average);
  rules_.resize(parameters_.size());
  reasons_.assign(parameters_.size(), options.loop ? "asked for" : "");
  disagrees_.assign(parameters_.size(), options.loop && options.method == Method::kLocal);
  next_check_.assign(parameters_.size(), 0);
}

void Estimator::Impl::add(const at::Tensor& x) {
  if (x.dim() == 0) throw Error("batch", "has no dimension for samples");
  if (x.size(0) == 0) return;
  if (!options_.batch_average) return add_exactly(x);
  buffer_.push_back(x);
  waiting_ += x.size(0);
  at::NoGradGuard off;
  if (waiting_ >= options_.batch_average)
    add_blocks(false, [&](int i, const at::Tensor& g) {
      if (g.defined()) sums_[i].add(g.unsqueeze(0));
    });
}

// The samples that wait, in blocks of N; with `last` also the rest, which then keeps waiting for its block to fill.
void Estimator::Impl::add_blocks(bool last, const std::function<void(int, const at::Tensor&)>& give) {
  const at::Tensor all = buffer_.size() == 1 ? buffer_[0] : at::cat(buffer_);
  const int64_t block = options_.batch_average, whole = last ? waiting_ : waiting_ / block * block;
  std::vector<int> everyone(parameters_.size());
  for (size_t i = 0; i < everyone.size(); i++) everyone[i] = int(i);
  int64_t number = count_;
  const Forward checked = [&](const at::Tensor& x) {
    const at::Tensor y = forward_(x);
    const int64_t n = x.size(0);
    if (n > 1 && (y.dim() == 0 || y.size(0) != n)) throw Error("network", "samples aren't along the first dimension");
    require_finite(y, number, n);
    number += n;
    return y;
  };
  loop_gradients(checked, parameters_, everyone, all.narrow(0, 0, whole), block, give);
  if (last) return;
  count_ += whole;
  waiting_ -= whole;
  buffer_.clear();
  if (waiting_) buffer_.push_back(all.narrow(0, whole, waiting_).clone());
}

void Estimator::Impl::add_exactly(const at::Tensor& x) {
  const int64_t n = x.size(0);
  if (!widest_) {
    at::AutoGradMode on(true);
    widest_ = std::max<int64_t>(1, widest(forward_(x.narrow(0, 0, 1))));
  }
  int64_t weights = 0;
  for (const auto& p : parameters_) weights += p.numel() * p.element_size();
  const int64_t bytes = std::clamp(weights / kWeightsAPartByte, kPartBytes, kPartBytesMost);
  const int64_t most = std::clamp<int64_t>(bytes / (widest_ * x.element_size()), 1, kFlushSamples);
  const int64_t parts = (n + most - 1) / most;
  for (int64_t i = 0; i < parts; i++) {
    const int64_t begin = i * n / parts, end = (i + 1) * n / parts;
    add_part(x.narrow(0, begin, end - begin));
  }
}

void Estimator::Impl::add_part(const at::Tensor& x) {
  const int64_t n = x.size(0);
  if (unflushed_ + n > kFlushSamples) {
    at::NoGradGuard off;
    for (auto& s : sums_) s.flush();
    unflushed_ = 0;
  }
  if (std::count(active_.begin(), active_.end(), true)) {
    auto pass = std::make_unique<Pass>(forward_, x, index_, active_, options_.method);
    const at::Tensor& y = pass->output();
    if (n > 1 && (y.dim() == 0 || y.size(0) != n)) throw Error("network", "samples aren't along the first dimension");
    require_finite(y, count_, n);
    if (const auto chosen = to_check(pass->graph(), n > 1); !chosen.empty()) {
      const Graph graph = pass->graph();
      pass.reset();
      check(x, chosen, graph);
      pass = std::make_unique<Pass>(forward_, x, index_, active_, options_.method);
    }
    pass->add(parameters_, sums_);
    for (const auto& [i, rule] : pass->rules()) rules_[i] = rule;
    for (const auto& [i, why] : pass->refused()) refuse(i, why);
  }
  std::vector<int64_t> rows(static_cast<size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  loop(x, rows, looped(), sums_);
  count_ += n;
  unflushed_ += n;
  parts_++;
}

// rows: which of the part's samples x has.
void Estimator::Impl::loop(const at::Tensor& x, const std::vector<int64_t>& rows, const std::vector<int>& chosen,
                           std::vector<Accumulator>& to) {
  if (chosen.empty()) return;
  if (options_.method == Method::kLocal) {
    std::vector<bool> only(parameters_.size());
    for (int i : chosen) only[i] = true;
    for (int64_t n = 0; n < x.size(0); n++)
      Pass(forward_, x.narrow(0, n, 1), index_, only, options_.method).add(parameters_, to);
    return;
  }
  auto row = rows.begin();
  const Forward checked = [&](const at::Tensor& one) {
    const at::Tensor y = forward_(one);
    require_finite(y, count_ + *row++, 1);
    return y;
  };
  loop_gradients(checked, parameters_, chosen, x, 1, [&](int i, const at::Tensor& g) {
    if (g.defined()) to[i].add(g.unsqueeze(0));
  });
}

std::vector<int> Estimator::Impl::looped() const {
  std::vector<int> all;
  for (size_t i = 0; i < active_.size(); i++)
    if (options_.method == Method::kMas ? !active_[i] : bool(disagrees_[i])) all.push_back(int(i));
  return all;
}

void Estimator::Impl::refuse(int parameter, const std::string& why) {
  active_[parameter] = false;
  reasons_[parameter] = why;
}

// A way to use a parameter. A batch of one sample can't show couplings, so it confirms less.
std::string Estimator::Impl::use_of(const Graph& graph, int parameter, bool several) const {
  const auto found = graph.signatures.find(parameter);
  return (found == graph.signatures.end() ? "" : found->second) + (several ? "" : "one sample");
}

std::vector<int> Estimator::Impl::to_check(const Graph& graph, bool several) const {
  std::vector<int> chosen;
  if (options_.check_samples <= 0) return chosen;
  for (size_t i = 0; i < active_.size(); i++)
    if (active_[i] && parts_ >= next_check_[i] && !confirmed_.count({int(i), use_of(graph, int(i), several)}))
      chosen.push_back(int(i));
  return chosen;
}

void Estimator::Impl::check(const at::Tensor& x, const std::vector<int>& chosen, const Graph& graph) {
  const int64_t n = x.size(0), k = std::min(options_.check_samples, n);
  std::vector<int64_t> rows;  // spread over the batch, the first and the last among them
  for (int64_t i = 0; i < k; i++) rows.push_back(k == 1 ? 0 : i * (n - 1) / (k - 1));
  std::vector<Accumulator> trial, reference;
  for (const auto& p : parameters_) {
    trial.emplace_back(p, Measure::kAbsolute);
    reference.emplace_back(p, Measure::kAbsolute);
  }
  std::vector<bool> only(parameters_.size());
  for (int i : chosen) only[i] = true;
  std::map<int, std::string> refused;
  {
    Pass pass(forward_, x, index_, only, options_.method);
    pass.add(parameters_, trial, rows);
    refused = pass.refused();
  }
  for (const auto& [i, why] : refused) refuse(i, why);

  const at::Tensor few = x.index_select(0, at::tensor(rows, at::kLong).to(x.device()));
  for (size_t begin = 0; begin < chosen.size();) {
    std::vector<int> group;
    for (int64_t elements = 0; begin < chosen.size() && (group.empty() || elements < kReferenceElements); begin++) {
      if (refused.count(chosen[begin])) continue;
      group.push_back(chosen[begin]);
      elements += parameters_[chosen[begin]].numel();
    }
    std::map<int, at::Tensor> got;
    for (int i : group) {
      at::NoGradGuard off;
      got[i] = trial[i].sum();
      trial[i] = Accumulator(parameters_[i], Measure::kAbsolute);  // frees its panels
    }
    loop(few, rows, group, reference);
    for (int i : group) {
      const Difference d = compare(got[i], reference[i].sum());
      // Without rounding to hide behind, an error has to be smaller.
      const double tolerance = parameters_[i].scalar_type() == at::kDouble ? std::min(1e-6, options_.check_tolerance)
                                                                           : options_.check_tolerance;
      if (!d.within(tolerance)) {
        refuse(i, "differs from the loop by " + std::to_string(d.relative()) + " of its maximum");
        disagrees_[i] = options_.method == Method::kLocal;
      } else if (d.want_largest > 0 || !graph.signatures.count(i)) {
        confirmed_.insert({i, use_of(graph, i, n > 1)});
      } else {
        next_check_[i] = 2 * parts_ + 1;
      }
      reference[i] = Accumulator(parameters_[i], Measure::kAbsolute);
    }
  }
}

NamedTensors Estimator::Impl::sum() {
  at::NoGradGuard off;
  std::vector<at::Tensor> all;
  for (auto& s : sums_) all.push_back(s.sum().clone());
  if (waiting_)
    add_blocks(true, [&](int i, const at::Tensor& g) {
      if (g.defined()) all[i].add_(g.abs().to(at::kDouble).cpu());
    });
  NamedTensors named;
  for (const auto& [name, i] : names_) {
    if (!at::isfinite(all[i]).all().item<bool>()) throw Error(name, "its importance isn't finite");
    named[name] = all[i];
  }
  unflushed_ = 0;
  return named;
}

std::vector<Path> Estimator::Impl::paths() const {
  std::vector<Path> all;
  for (const auto& [name, i] : names_) {
    if (options_.batch_average)
      all.push_back({name, "batch", ""});
    else if (options_.method == Method::kLocal && !reasons_[i].empty() && !disagrees_[i])
      all.push_back({name, "no local rule", reasons_[i]});
    else if (!active_[i] || disagrees_[i])
      all.push_back({name, "loop", reasons_[i]});
    else
      all.push_back({name, rules_[i].empty() ? "unused" : rules_[i], ""});
  }
  return all;
}

Estimator::Estimator(Forward forward, NamedTensors parameters, const EstimatorOptions& options)
    : impl_(new Impl(std::move(forward), std::move(parameters), options)) {}
Estimator::~Estimator() = default;
Estimator::Estimator(Estimator&&) noexcept = default;
void Estimator::add(const at::Tensor& x) { impl_->add(x); }
NamedTensors Estimator::sum() { return impl_->sum(); }
int64_t Estimator::count() const { return impl_->count(); }
std::vector<Path> Estimator::paths() const { return impl_->paths(); }

}  // namespace mas
