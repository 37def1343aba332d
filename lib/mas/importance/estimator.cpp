#include "mas/importance/estimator.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "mas/error.h"
#include "mas/importance/batch_average.h"
#include "mas/importance/memory.h"
#include "mas/importance/self_check.h"

namespace mas {
namespace {

constexpr int64_t kFlushSamples = 1024;  // float32 sums of more lose digits
// A batch is taken in parts whose widest tensor stays in the cache. Every part reads all weights a few times, though:
// many of them are worth larger parts. Measured, with an allocator that keeps large blocks.
constexpr int64_t kPartBytes = 12 << 20, kPartBytesMost = 128 << 20, kPartBytesAWeightByte = 4;

bool is_power_of_4(int64_t number) { return number > 0 && (number & (number - 1)) == 0 && number % 3 == 1; }

Seeds seeds_of(const EstimatorOptions& options) {
  if (options.method != Method::kFisher) return squared_norm_seeds();
  return options.vectors ? normal_fisher_seeds(options.fisher) : fisher_seeds(options.fisher);
}

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
  Samples samples_of(const at::Tensor& x, const at::Tensor& given) const;
  void add_part(const Samples& part);
  void add_fast(const Samples& part);
  void check_again(const Samples& part, const at::Tensor& y, const SelfCheck::Keys& keys);
  const std::string& name_of(int parameter) const;
  void refuse(const Faults& faults);
  Chosen looped() const;

  EstimatorOptions options_;
  Subject subject_;
  SelfCheck check_;
  std::vector<std::pair<std::string, int>> names_;  // and which parameter it is
  std::vector<Accumulator> sums_;
  std::vector<bool> active_;  // by rules; the others take the loop
  std::vector<bool> local_;   // false: not even the loop has a rule for the local method
  std::vector<std::string> rules_, reasons_;
  int64_t count_ = 0, unflushed_ = 0, parts_ = 0, singles_ = 0;
  Extent extent_;  // of one sample
  std::unique_ptr<BatchAverage> average_;
};

Estimator::Impl::Impl(Forward forward, NamedTensors parameters, const EstimatorOptions& options)
    : options_(options),
      subject_{std::move(forward), options.method, seeds_of(options), {}, {}, {}, {}},
      check_(subject_, options) {
  if (options.batch_average < 0) throw Error("batches to average", "must not be negative");
  if (options.batch_average && options.method != Method::kMas)
    throw Error("batches to average", "with the method mas only");
  auto& own = subject_.parameters;
  for (auto& [name, tensor] : parameters) {
    if (!tensor.is_leaf()) throw Error(name, "not a leaf of the network's graph");
    if (!tensor.is_floating_point()) throw Error(name, "not a floating-point tensor");
    const auto [found, fresh] = subject_.index.emplace(tensor.unsafeGetTensorImpl(), int(own.size()));
    names_.emplace_back(name, found->second);
    if (!fresh) continue;
    tensor.set_requires_grad(true);
    own.push_back(tensor);
  }
  subject_.orders.assign(own.size(), Order::kFirst);
  subject_.used.resize(own.size());
  sums_ = subject_.accumulators();
  active_.assign(own.size(), !options.loop);
  local_.assign(own.size(), true);
  rules_.resize(own.size());
  reasons_.assign(own.size(), options.loop ? "asked for" : "");
  if (options.batch_average) average_ = std::make_unique<BatchAverage>(subject_.forward, own, options.batch_average);
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
  const bool labels = options_.fisher == Fisher::kEmpirical;
  if (options_.method != Method::kFisher || !(labels || options_.fisher == Fisher::kSampled)) return all;
  const auto type = options_.vectors ? given.scalar_type() : labels ? at::kLong : at::kDouble;
  const bool fits = given.defined() && given.dim() == (options_.vectors ? 2 : 1) && given.size(0) == x.size(0) &&
                    given.scalar_type() == type;
  if (!fits || (!options_.vectors && given.min().item<double>() < 0)) {
    const char* const what = options_.vectors ? "values of a vector" : labels ? "a label" : "a draw";
    throw Error("the Fisher information", fmt::format("needs {} for each sample", what));
  }
  all.given = given;
  return all;
}

int64_t Estimator::Impl::part_size(const at::Tensor& x) {
  if (!extent_.widest) {
    at::AutoGradMode on(true);
    extent_ = extent(subject_.forward(x.narrow(0, 0, 1)));
    extent_.widest = std::max<int64_t>(1, extent_.widest);
  }
  int64_t weights = 0;
  for (const auto& p : subject_.parameters) weights += p.numel() * p.element_size();
  const int64_t bytes = std::clamp(weights * kPartBytesAWeightByte, kPartBytes, kPartBytesMost);
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
  Chosen all(active_.size());
  std::iota(all.begin(), all.end(), 0);
  for (const auto& [i, why] : subject_.loop(part, single ? all : looped(), sums_)) {
    local_[i] = false;
    reasons_[i] = why;
  }
  singles_ += single;
  count_ += part.size();
  unflushed_ += part.size();
  parts_++;
}

void Estimator::Impl::add_fast(const Samples& part) {
  auto now = subject_.pass(part, active_);
  check_outputs(now->output(), part);
  subject_.note_uses(now->graph());
  const auto keys = check_.keys_of(now->graph(), part);
  const at::Tensor y = now->output().detach();
  const bool checked = options_.check_samples > 0;
  const Chosen fresh = checked ? check_.trusted(SelfCheck::Trust::kNone, active_, keys) : Chosen();
  if (!fresh.empty()) {
    now.reset();  // frees its memory
    refuse(check_.check(part, y, fresh, keys));
    now = subject_.pass(part, active_);
  }
  // Where a quiet parameter shows importance after all, that of this part stands apart until it has been compared.
  const Chosen quiet = check_.trusted(SelfCheck::Trust::kQuiet, active_, keys);
  std::vector<Accumulator> apart;
  if (!quiet.empty()) apart = subject_.accumulators();
  for (int i : quiet) std::swap(sums_[i], apart[i]);
  now->add(subject_.parameters, sums_, subject_.seeds, part.given);
  for (int i : quiet) std::swap(sums_[i], apart[i]);
  for (const auto& [i, rules] : now->rules()) rules_[i] = fmt::format("{}", fmt::join(rules, " + "));
  for (const auto& [i, why] : now->refused())
    if (now->torn(i)) throw Error(name_of(i), fmt::format("{}; feed batches of one sample", why));
  refuse(now->refused());
  now.reset();
  Chosen shown;
  for (int i : quiet) {
    at::NoGradGuard off;
    if (active_[i] && apart[i].sum().ne(0).any().item<bool>()) shown.push_back(i);
  }
  refuse(check_.check_sums(part, y, shown, apart, keys));
  for (int i : shown)
    if (active_[i]) sums_[i].add_sum(apart[i].sum());
  apart.clear();
  if (checked && is_power_of_4(parts_)) check_again(part, y, keys);
}

void Estimator::Impl::check_again(const Samples& part, const at::Tensor& y, const SelfCheck::Keys& keys) {
  const Faults faults = check_.check_again(part, y, check_.trusted(SelfCheck::Trust::kFull, active_, keys), keys);
  if (faults.empty()) return;
  const auto& [bad, why] = *faults.begin();
  throw Error(name_of(bad), fmt::format("its gradients stopped being those of single samples before sample {} ({}); "
                                        "feed batches of one sample",
                                        part.numbers.back() + 1, why));
}

// The first, where it has several.
const std::string& Estimator::Impl::name_of(int parameter) const {
  return std::find_if(names_.begin(), names_.end(), [&](const auto& n) { return n.second == parameter; })->first;
}

void Estimator::Impl::refuse(const Faults& faults) {
  for (const auto& [parameter, why] : faults) {
    active_[parameter] = false;
    reasons_[parameter] = why;
  }
}

Chosen Estimator::Impl::looped() const {
  Chosen all;
  for (size_t i = 0; i < active_.size(); i++)
    if (!active_[i] && local_[i]) all.push_back(int(i));
  return all;
}

NamedTensors Estimator::Impl::sum() {
  at::NoGradGuard off;
  trim_memory();
  std::vector<at::Tensor> all;
  if (average_)
    all = average_->sums();
  else
    for (auto& s : sums_) all.push_back(s.sum());
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
    if (!(average_ ? average_->uses(i) : subject_.used[i]))
      all.push_back({name, "unused", "no gradient reaches it"});
    else if (average_)
      all.push_back({name, "batch", ""});
    else if (!local_[i])
      all.push_back({name, "no local rule", reasons_[i]});
    else if (!active_[i])
      all.push_back({name, "loop", reasons_[i]});
    else if (singles_ > 0 && singles_ == parts_)
      all.push_back({name, "loop", "batches of one sample"});
    else
      all.push_back({name, rules_[i], ""});
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
