#include "mas/importance/estimator.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "mas/error.h"
#include "mas/importance/accumulator.h"
#include "mas/importance/batch_average.h"
#include "mas/importance/check.h"
#include "mas/importance/loop.h"
#include "mas/importance/pass.h"

namespace mas {
namespace {

constexpr int64_t kFlushSamples = 1024;  // float32 sums of more lose digits
// A batch is taken in parts whose widest tensor stays in the cache, and below the 32 MiB from which glibc maps each
// block anew. Every part reads all weights, though: many of them are worth larger parts. Measured.
constexpr int64_t kPartBytes = 12 << 20, kPartBytesMost = 28 << 20, kWeightsAPartByte = 8;
constexpr double kRounding = 1e-6, kRoundingWide = 1e-15;  // of sums, relative to the sum of their terms' sizes
constexpr int64_t kReferenceElements = 1 << 24;            // parameters compared at a time

constexpr int64_t kAgainSamples = 16;  // of a part, when what was compared before is compared again

// Of n rows k, spread from the first to the last, then moved on.
std::vector<int64_t> spread(int64_t k, int64_t n, int64_t shift) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < k; i++) rows.push_back((i * (n - 1) / std::max<int64_t>(1, k - 1) + shift) % n);
  return rows;
}

bool is_power_of_4(int64_t number) { return number > 0 && (number & (number - 1)) == 0 && number % 3 == 1; }

}  // namespace

class Estimator::Impl {
 public:
  Impl(Forward forward, NamedTensors parameters, const EstimatorOptions& options);
  void add(const at::Tensor& x, const at::Tensor& given);
  int64_t part_size(const at::Tensor& x);
  NamedTensors sum();
  int64_t count() const { return average_ ? average_->count() : count_; }
  std::vector<Path> paths() const;

 private:
  using Chosen = std::vector<int>;            // parameters
  using Keys = std::vector<std::string>;      // of all: how a pass uses each
  using Faults = std::map<int, std::string>;  // what is wrong with the fast path for a parameter
  /// How far the fast path is known to be right for a parameter as it is used.
  enum class Trust {
    kNone,   ///< not compared yet
    kQuiet,  ///< it had no importance in the samples compared
    kFull
  };

  Samples samples_of(const at::Tensor& x, const at::Tensor& given) const;
  void add_part(const Samples& part);
  void add_fast(const Samples& part);
  std::unique_ptr<Pass> pass(const Samples& samples, const std::vector<bool>& active) const;
  void loop(const Samples& samples, const Chosen& chosen, std::vector<Accumulator>& to);
  std::vector<Accumulator> accumulators() const;
  std::vector<bool> only(const Chosen& chosen) const;

  Keys keys_of(const Graph& graph, const Samples& samples) const;
  Chosen trusted(Trust how, const Keys& keys);
  Faults check(const Samples& part, Chosen chosen, const Keys& keys);
  Faults compare_rows(const Samples& part, Chosen chosen, const Keys& keys, const std::vector<int64_t>& rows);
  Faults compare(const Samples& samples, const Chosen& chosen, std::vector<Accumulator>& fast,
                 const std::map<int, double>& arrived, const Keys& keys);
  void check_again(const Samples& part, const Keys& keys);
  void refuse(const Faults& faults);
  Chosen looped() const;

  Forward forward_;
  EstimatorOptions options_;
  Measure measure_;
  Seeds seeds_;
  std::vector<std::pair<std::string, int>> names_;  // and which parameter it is
  std::vector<at::Tensor> parameters_;
  ParameterIndex index_;
  std::vector<Accumulator> sums_;
  std::vector<bool> active_;   // by rules; the others take the loop, or have no local rule
  std::vector<Order> orders_;  // of the samples among the rows of what uses a parameter
  std::vector<std::string> rules_, reasons_;
  std::vector<bool> disagrees_;  // kLocal: takes one-sample passes
  std::map<std::pair<int, std::string>, Trust> trust_;
  int64_t count_ = 0, unflushed_ = 0, parts_ = 0, singles_ = 0;
  Extent extent_;  // of one sample
  std::unique_ptr<BatchAverage> average_;
};

Estimator::Impl::Impl(Forward forward, NamedTensors parameters, const EstimatorOptions& options)
    : forward_(std::move(forward)),
      options_(options),
      measure_(options.method == Method::kFisher ? Measure::kSquare : Measure::kAbsolute),
      seeds_(options.method == Method::kFisher ? fisher_seeds(options.fisher) : squared_norm_seeds()) {
  if (options.batch_average < 0) throw Error("batches to average", "must not be negative");
  if (options.batch_average && options.method != Method::kMas)
    throw Error("batches to average", "with the method mas only");
  for (auto& [name, tensor] : parameters) {
    if (!tensor.is_leaf()) throw Error(name, "not a leaf of the network's graph");
    if (!tensor.is_floating_point()) throw Error(name, "not a floating-point tensor");
    const auto [found, fresh] = index_.emplace(tensor.unsafeGetTensorImpl(), int(parameters_.size()));
    names_.emplace_back(name, found->second);
    if (!fresh) continue;
    tensor.set_requires_grad(true);
    parameters_.push_back(tensor);
  }
  sums_ = accumulators();
  active_.assign(parameters_.size(), !options.loop);
  orders_.assign(parameters_.size(), Order::kFirst);
  rules_.resize(parameters_.size());
  reasons_.assign(parameters_.size(), options.loop ? "asked for" : "");
  disagrees_.assign(parameters_.size(), options.loop && options.method == Method::kLocal);
  if (options.batch_average) average_ = std::make_unique<BatchAverage>(forward_, parameters_, options.batch_average);
}

std::vector<Accumulator> Estimator::Impl::accumulators() const {
  std::vector<Accumulator> all;
  for (const auto& p : parameters_) all.emplace_back(p, measure_);
  return all;
}

std::vector<bool> Estimator::Impl::only(const Chosen& chosen) const {
  std::vector<bool> active(parameters_.size());
  for (int i : chosen) active[i] = true;
  return active;
}

void Estimator::Impl::add(const at::Tensor& x, const at::Tensor& given) {
  if (x.dim() == 0) throw Error("batch", "has no dimension for samples");
  if (x.size(0) == 0) return;
  if (average_) return average_->add(x);
  const Samples all = samples_of(x, given);
  const int64_t n = x.size(0), most = part_size(x), parts = (n + most - 1) / most;
  for (int64_t i = 0; i < parts; i++) {
    const int64_t begin = i * n / parts, end = (i + 1) * n / parts;
    add_part(all.narrow(begin, end - begin));
  }
}

Samples Estimator::Impl::samples_of(const at::Tensor& x, const at::Tensor& given) const {
  Samples all{x, {}, std::vector<int64_t>(x.size(0))};
  std::iota(all.numbers.begin(), all.numbers.end(), count_);
  if (options_.method != Method::kFisher || options_.fisher == Fisher::kExact) return all;
  const bool labels = options_.fisher == Fisher::kEmpirical;
  const auto type = labels ? at::kLong : at::kDouble;
  const bool fits = given.defined() && given.dim() == 1 && given.size(0) == x.size(0) && given.scalar_type() == type;
  if (!fits || given.min().item<double>() < 0) {
    throw Error("the Fisher information", labels ? "needs a label for each sample" : "needs a draw for each sample");
  }
  all.given = given;
  return all;
}

int64_t Estimator::Impl::part_size(const at::Tensor& x) {
  if (!extent_.widest) {
    at::AutoGradMode on(true);
    extent_ = extent(forward_(x.narrow(0, 0, 1)));
    extent_.widest = std::max<int64_t>(1, extent_.widest);
  }
  int64_t weights = 0;
  for (const auto& p : parameters_) weights += p.numel() * p.element_size();
  const int64_t bytes = std::clamp(weights / kWeightsAPartByte, kPartBytes, kPartBytesMost);
  int64_t most = bytes / (extent_.widest * x.element_size());
  // What the forward pass keeps, and about as much of gradients.
  if (options_.memory > 0) most = std::min(most, options_.memory / (2 * extent_.total * x.element_size() + 1));
  return std::clamp<int64_t>(most, 1, kFlushSamples);
}

void Estimator::Impl::add_part(const Samples& part) {
  if (unflushed_ + part.size() > kFlushSamples) {
    at::NoGradGuard off;
    for (auto& s : sums_) s.flush();
    unflushed_ = 0;
  }
  // One sample can't be mistaken in a loop over one sample, and is no slower there.
  const bool single = part.size() == 1 && options_.method != Method::kLocal;
  if (!single && std::count(active_.begin(), active_.end(), true)) add_fast(part);
  Chosen all(parameters_.size());
  std::iota(all.begin(), all.end(), 0);
  loop(part, single ? all : looped(), sums_);
  singles_ += single;
  count_ += part.size();
  unflushed_ += part.size();
  parts_++;
}

void Estimator::Impl::add_fast(const Samples& part) {
  auto now = pass(part, active_);
  check_outputs(now->output(), part);
  const Keys keys = keys_of(now->graph(), part);
  if (options_.check_samples > 0) {
    const Chosen fresh = trusted(Trust::kNone, keys);
    if (!fresh.empty() || is_power_of_4(parts_)) {
      now.reset();
      if (is_power_of_4(parts_)) check_again(part, keys);
      refuse(check(part, fresh, keys));
      now = pass(part, active_);
    }
  }
  // Where a quiet parameter shows importance after all, that of this part stands apart until it has been compared.
  const Chosen quiet = trusted(Trust::kQuiet, keys);
  std::vector<Accumulator> apart;
  if (!quiet.empty()) apart = accumulators();
  for (int i : quiet) std::swap(sums_[i], apart[i]);
  now->add(parameters_, sums_, seeds_, part.given);
  for (int i : quiet) std::swap(sums_[i], apart[i]);
  for (const auto& [i, rules] : now->rules()) rules_[i] = fmt::format("{}", fmt::join(rules, " + "));
  refuse(now->refused());
  now.reset();
  Chosen shown;
  for (int i : quiet) {
    at::NoGradGuard off;
    if (active_[i] && apart[i].sum().ne(0).any().item<bool>()) shown.push_back(i);
  }
  refuse(compare(part, shown, apart, {}, keys));
  for (int i : shown)
    if (active_[i]) sums_[i].add_sum(apart[i].sum());
}

std::unique_ptr<Pass> Estimator::Impl::pass(const Samples& samples, const std::vector<bool>& active) const {
  return std::make_unique<Pass>(forward_, samples.x, index_, active, orders_, options_.method);
}

void Estimator::Impl::loop(const Samples& samples, const Chosen& chosen, std::vector<Accumulator>& to) {
  if (chosen.empty()) return;
  if (options_.method == Method::kLocal) {
    for (int64_t n = 0; n < samples.size(); n++) {
      const Samples one = samples.narrow(n, 1);
      const auto alone = pass(one, only(chosen));
      check_outputs(alone->output(), one);
      alone->add(parameters_, to, seeds_, one.given);
    }
    return;
  }
  loop_gradients(forward_, parameters_, chosen, samples, seeds_, 1, [&](int i, const at::Tensor& g) {
    if (g.defined()) to[i].add(g.unsqueeze(0));
  });
}

Estimator::Impl::Chosen Estimator::Impl::looped() const {
  Chosen all;
  for (size_t i = 0; i < active_.size(); i++)
    if (options_.method == Method::kLocal ? bool(disagrees_[i]) : !active_[i]) all.push_back(int(i));
  return all;
}

void Estimator::Impl::refuse(const Faults& faults) {
  for (const auto& [parameter, why] : faults) {
    active_[parameter] = false;
    reasons_[parameter] = why;
  }
}

Estimator::Impl::Keys Estimator::Impl::keys_of(const Graph& graph, const Samples& samples) const {
  const std::string all = fmt::format("{:x} {}", graph.nodes, fmt::join(samples.x.sizes().slice(1), ","));
  Keys keys(parameters_.size());  // empty: the network doesn't use it
  for (const auto& [parameter, signature] : graph.signatures) keys[parameter] = signature + all;
  return keys;
}

Estimator::Impl::Chosen Estimator::Impl::trusted(Trust how, const Keys& keys) {
  Chosen chosen;
  for (size_t i = 0; i < active_.size(); i++)
    if (active_[i] && !keys[i].empty() && trust_[{int(i), keys[i]}] == how) chosen.push_back(int(i));
  return chosen;
}

// Rounding may decide a sample's ReLUs in another way when it is alone: what differs is looked at once more.
Estimator::Impl::Faults Estimator::Impl::check(const Samples& part, Chosen chosen, const Keys& keys) {
  const int64_t n = part.size(), k = std::min(n, std::max<int64_t>(2, options_.check_samples));
  Faults faults = compare_rows(part, chosen, keys, spread(k, n, 0));
  Chosen again;
  for (const auto& fault : faults) again.push_back(fault.first);
  return again.empty() ? faults : compare_rows(part, again, keys, spread(k, n, 1));
}

// With these samples seeded alone, one after the other: the others' gradients have to be 0.
Estimator::Impl::Faults Estimator::Impl::compare_rows(const Samples& part, Chosen chosen, const Keys& keys,
                                                      const std::vector<int64_t>& rows) {
  constexpr int kRounds = 3;  // one for each order that samples can be in
  Faults faults;
  for (int round = 0; round < kRounds && !chosen.empty(); round++) {
    std::vector<Accumulator> trial = accumulators();
    std::map<int, double> arrived;
    Chosen turned, settled;
    {
      const auto few = pass(part, only(chosen));
      few->add(parameters_, trial, seeds_, part.given, rows);
      arrived = few->arrived();
      faults.insert(few->refused().begin(), few->refused().end());
      for (const auto& [i, order] : few->turned()) {
        orders_[i] = order;
        turned.push_back(i);
      }
    }
    for (int i : chosen)
      if (!faults.count(i) && !std::count(turned.begin(), turned.end(), i)) settled.push_back(i);
    const Faults differing = compare(part.select(rows), settled, trial, arrived, keys);
    faults.insert(differing.begin(), differing.end());
    chosen = std::move(turned);
  }
  for (int i : chosen) faults.emplace(i, "samples of a batch influence one another");
  return faults;
}

// The fast path's sums with the loop's over the same samples.
Estimator::Impl::Faults Estimator::Impl::compare(const Samples& samples, const Chosen& chosen,
                                                 std::vector<Accumulator>& fast, const std::map<int, double>& arrived,
                                                 const Keys& keys) {
  Faults faults;
  if (chosen.empty()) return faults;
  std::vector<Accumulator> reference = accumulators();
  for (size_t begin = 0; begin < chosen.size();) {
    Chosen group;
    for (int64_t elements = 0; begin < chosen.size() && (group.empty() || elements < kReferenceElements); begin++) {
      group.push_back(chosen[begin]);
      elements += parameters_[chosen[begin]].numel();
    }
    loop(samples, group, reference);
    for (int i : group) {
      at::NoGradGuard off;
      const Difference d = mas::compare(fast[i].sum(), reference[i].sum());
      const int64_t elements = parameters_[i].numel();
      // Without rounding to hide behind, an error has to be smaller.
      const bool wide = parameters_[i].scalar_type() == at::kDouble;
      const double tolerance = wide ? std::min(1e-6, options_.check_tolerance) : options_.check_tolerance;
      const auto terms = arrived.find(i);
      double noise = terms == arrived.end() || elements == 0 ? 0 : terms->second / double(elements);
      noise *= wide ? kRoundingWide : kRounding;
      if (measure_ == Measure::kSquare) noise *= noise;
      const bool same = d.within(tolerance, noise, elements);
      disagrees_[i] = !same && options_.method == Method::kLocal;  // the next look may take it back
      if (same) {
        trust_[{i, keys[i]}] = d.want_largest > 0 ? Trust::kFull : Trust::kQuiet;
      } else {
        faults[i] = fmt::format("differs from the loop by {:.2g} of its maximum", d.relative());
      }
      reference[i] = Accumulator(parameters_[i], measure_);  // frees its sums
    }
  }
  return faults;
}

// What was trusted before, on a few samples of a later part.
void Estimator::Impl::check_again(const Samples& part, const Keys& keys) {
  const int64_t n = std::min(part.size(), kAgainSamples), first = parts_ % (part.size() - n + 1);
  const auto orders = orders_;
  const Faults faults = check(part.narrow(first, n), trusted(Trust::kFull, keys), keys);
  if (faults.empty() && orders == orders_) return;
  const auto moved = std::mismatch(orders.begin(), orders.end(), orders_.begin()).first - orders.begin();
  const int bad = faults.empty() ? int(moved) : faults.begin()->first;
  const auto name = std::find_if(names_.begin(), names_.end(), [&](const auto& entry) { return entry.second == bad; });
  throw Error(name->first,
              fmt::format("its gradients stopped being those of single samples before sample {} ({}); "
                          "feed batches of one sample",
                          part.numbers.back() + 1, faults.empty() ? "samples changed places" : faults.begin()->second));
}

NamedTensors Estimator::Impl::sum() {
  at::NoGradGuard off;
  std::vector<at::Tensor> all;
  if (average_)
    all = average_->sums();
  else
    for (auto& s : sums_) all.push_back(s.sum().clone());
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
    if (average_)
      all.push_back({name, "batch", ""});
    else if (options_.method == Method::kLocal && !reasons_[i].empty() && !disagrees_[i])
      all.push_back({name, "no local rule", reasons_[i]});
    else if (!active_[i] || disagrees_[i])
      all.push_back({name, "loop", reasons_[i]});
    else if (singles_ > 0 && singles_ == parts_)
      all.push_back({name, "loop", "batches of one sample"});
    else
      all.push_back({name, rules_[i].empty() ? "unused" : rules_[i], ""});
  }
  return all;
}

Estimator::Estimator(Forward forward, NamedTensors parameters, const EstimatorOptions& options)
    : impl_(new Impl(std::move(forward), std::move(parameters), options)) {}
Estimator::~Estimator() = default;
Estimator::Estimator(Estimator&&) noexcept = default;
void Estimator::add(const at::Tensor& x, const at::Tensor& given) { impl_->add(x, given); }
int64_t Estimator::part_size(const at::Tensor& x) { return impl_->part_size(x); }
NamedTensors Estimator::sum() { return impl_->sum(); }
int64_t Estimator::count() const { return impl_->count(); }
std::vector<Path> Estimator::paths() const { return impl_->paths(); }

}  // namespace mas
