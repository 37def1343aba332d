#include "mas/importance/self_check.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <algorithm>

#include "mas/importance/difference.h"
#include "mas/importance/memory.h"

namespace mas {
namespace {

constexpr double kRounding = 1e-6, kRoundingWide = 1e-15;  // of sums, relative to the sum of their terms' sizes
constexpr double kDecisions = 0.1;               // of the maximum: what a few ReLUs decided otherwise may make
constexpr int64_t kReferenceElements = 1 << 24;  // parameters compared at a time
constexpr int64_t kBatchSamples = 16;            // of a part, passed together in a comparison

constexpr const char* kInfluence = "samples of a batch influence one another";

// Of n rows k, spread from the first to the last.
std::vector<int64_t> spread(int64_t k, int64_t n) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < k; i++) rows.push_back(i * (n - 1) / std::max<int64_t>(1, k - 1));
  return rows;
}

// Calls work with as many of the chosen at a time as may have sums in memory.
void in_groups(const Chosen& chosen, const std::vector<at::Tensor>& parameters,
               const std::function<void(const Chosen&)>& work) {
  for (size_t begin = 0; begin < chosen.size();) {
    Chosen group;
    for (int64_t elements = 0; begin < chosen.size() && (group.empty() || elements < kReferenceElements); begin++) {
      group.push_back(chosen[begin]);
      elements += parameters[chosen[begin]].numel();
    }
    work(group);
  }
}

bool contains(const Chosen& chosen, int i) { return std::count(chosen.begin(), chosen.end(), i) > 0; }

// Those that a few decisions may have made.
Chosen near(const std::map<int, double>& distances) {
  Chosen chosen;
  for (const auto& [i, distance] : distances)
    if (distance < kDecisions) chosen.push_back(i);
  return chosen;
}

Faults as_faults(const std::map<int, double>& distances) {
  Faults faults;
  for (const auto& [i, distance] : distances)
    faults[i] = fmt::format("differs from the loop by {:.2g} of its maximum", distance);
  return faults;
}

// |y - want| within a share of the largest |want|.
bool alike(const at::Tensor& y, const at::Tensor& want, double share) {
  return y.sizes() == want.sizes() &&
         (y.numel() == 0 || (y - want).abs().max().item<double>() <= share * want.abs().max().item<double>());
}

}  // namespace

SelfCheck::Keys SelfCheck::keys_of(const Graph& graph, const Samples& samples) const {
  const std::string all = fmt::format("{:x} {}", graph.nodes, fmt::join(samples.x.sizes().slice(1), ","));
  Keys keys(subject_.parameters.size());
  for (const auto& [parameter, signature] : graph.signatures) keys[parameter] = signature + all;
  return keys;
}

Chosen SelfCheck::trusted(Trust how, const std::vector<bool>& active, const Keys& keys) {
  Chosen chosen;
  for (size_t i = 0; i < keys.size(); i++)
    if (active[i] && !keys[i].empty() && trust_[{int(i), keys[i]}] == how) chosen.push_back(int(i));
  return chosen;
}

Faults SelfCheck::check(const Samples& part, const at::Tensor& y, const Chosen& chosen, const Keys& keys) {
  const int64_t n = part.size(), most = std::max(kBatchSamples, samples_);
  Faults faults;
  if (!chosen.empty() && !same_in_another_order(part, y)) {
    for (int i : chosen) faults[i] = kInfluence;
    return faults;
  }
  if (n <= most) return check_batch(part, y, chosen, keys);
  // A smaller batch costs less, and tells as much where its outputs are those of the whole part.
  const auto rows = spread(most, n);
  return check_batch(part.select(rows), y.index_select(0, at::tensor(rows).to(y.device())), chosen, keys);
}

Faults SelfCheck::check_batch(const Samples& part, const at::Tensor& y, const Chosen& chosen, const Keys& keys) {
  Faults faults;
  in_groups(chosen, subject_.parameters, [&](const Chosen& group) {
    if (group.size() < chosen.size()) trim_memory();  // large sums fit into few of the holes that a pass has left
    faults.merge(check_group(part, y, group, keys));
  });
  return faults;
}

// What single pairs of samples do to each other escapes a few that are seeded alone: most pairs fall apart here.
bool SelfCheck::same_in_another_order(const Samples& part, const at::Tensor& y) const {
  constexpr uint64_t kSeed = 1711;
  const at::NoGradGuard off;
  const auto order = at::randperm(part.size(), at::detail::createCPUGenerator(kSeed), at::kLong).to(y.device());
  return alike(subject_.forward(part.x.index_select(0, order)), y.index_select(0, order), tolerance_);
}

// With a few of the samples seeded alone, one after the other: the others' gradients have to be 0.
Faults SelfCheck::check_group(const Samples& part, const at::Tensor& y, Chosen chosen, const Keys& keys) {
  const int64_t n = part.size();
  const auto rows = spread(std::min(n, std::max<int64_t>(2, samples_)), n);
  constexpr int kRounds = 3;  // one for each order that samples can be in
  Faults faults;
  for (int round = 0; round < kRounds && !chosen.empty(); round++) {
    std::vector<Accumulator> trial = subject_.accumulators(true), alone = subject_.accumulators(true);
    Terms terms;
    Chosen turned, settled;
    {
      const auto few = subject_.pass(part, chosen);
      if (!alike(few->output().detach(), y, tolerance_)) break;
      few->add(subject_.parameters, trial, subject_.seeds, part.given, rows);
      terms = few->arrived();
      faults.insert(few->refused().begin(), few->refused().end());
      for (const auto& [i, order] : few->turned()) {
        subject_.orders[i] = order;
        turned.push_back(i);
      }
    }
    for (int i : chosen)
      if (!faults.count(i) && !contains(turned, i)) settled.push_back(i);
    subject_.loop(part.select(rows), settled, alone);
    Distances distances = compare(settled, trial, alone, terms, keys);
    const Chosen undecided = near(distances);
    if (!undecided.empty() && subject_.method != Method::kLocal) {
      alone = subject_.accumulators(true);
      if (crowd(part, rows, undecided, alone)) {
        for (int i : undecided) distances.erase(i);
        distances.merge(compare(undecided, trial, alone, terms, keys));
      }
    }
    faults.merge(as_faults(distances));
    chosen = std::move(turned);
  }
  for (int i : chosen) faults.emplace(i, kInfluence);
  return faults;
}

// Each of the rows in a batch of part's size that it fills alone. Whether the outputs are those of the sample alone,
// but for rounding.
bool SelfCheck::crowd(const Samples& part, const std::vector<int64_t>& rows, const Chosen& chosen,
                      std::vector<Accumulator>& to) const {
  bool same = true;
  for (const int64_t row : rows) {
    Subject crowded = subject_;
    crowded.forward = [&](const at::Tensor& x) {
      const at::Tensor full = at::empty_like(part.x).copy_(x.expand_as(part.x));  // in the same memory format
      const at::Tensor y = subject_.forward(full).narrow(0, row, 1);
      at::NoGradGuard off;
      same = same && alike(y, subject_.forward(x), tolerance_);
      return y;
    };
    crowded.loop(part.select({row}), chosen, to);
  }
  return same;
}

// The sums of the fast path with those of samples alone: how far those that differ lie apart, relative to the maximum.
SelfCheck::Distances SelfCheck::compare(const Chosen& chosen, std::vector<Accumulator>& fast,
                                        std::vector<Accumulator>& alone, const Terms& terms, const Keys& keys) {
  Distances distances;
  for (int i : chosen) {
    at::NoGradGuard off;
    const Difference d = mas::compare(fast[i].sum(), alone[i].sum());
    const int64_t elements = subject_.parameters[i].numel();
    // Without rounding to hide behind, an error has to be smaller.
    const bool wide = subject_.parameters[i].scalar_type() == at::kDouble;
    const double tolerance = wide ? std::min(1e-6, tolerance_) : tolerance_;
    const auto found = terms.find(i);
    double noise = found == terms.end() || elements == 0 ? 0 : found->second / double(elements);
    noise *= wide ? kRoundingWide : kRounding;
    if (subject_.measure() == Measure::kSquare) noise *= noise;
    if (d.within(tolerance, noise, elements))
      trust_[{i, keys[i]}] = d.want_largest > 0 ? Trust::kFull : Trust::kQuiet;
    else
      distances[i] = d.relative();
  }
  return distances;
}

Faults SelfCheck::check_sums(const Samples& part, const at::Tensor& y, const Chosen& chosen,
                             std::vector<Accumulator>& sums, const Keys& keys) {
  Distances distances;
  in_groups(chosen, subject_.parameters, [&](const Chosen& group) {
    std::vector<Accumulator> alone = subject_.accumulators();
    subject_.loop(part, group, alone);
    distances.merge(compare(group, sums, alone, {}, keys));
  });
  Faults faults = as_faults(distances);
  // In each sample, decisions would be too many to look at: a few tell, unless the parameter rests in them.
  const Chosen undecided = near(distances);
  const Faults again = check(part, y, undecided, keys);
  for (int i : undecided)
    if (!again.count(i) && trust_[{i, keys[i]}] == Trust::kFull) faults.erase(i);
  return faults;
}

Faults SelfCheck::check_again(const Samples& part, const at::Tensor& y, const Chosen& chosen, const Keys& keys) {
  const int64_t n = std::min(part.size(), kBatchSamples), first = part.numbers.back() % (part.size() - n + 1);
  const auto orders = subject_.orders;
  Faults faults = check_batch(part.narrow(first, n), y.narrow(0, first, n), chosen, keys);
  for (int i : chosen)
    if (orders[i] != subject_.orders[i]) faults.emplace(i, "samples changed places");
  return faults;
}

}  // namespace mas
