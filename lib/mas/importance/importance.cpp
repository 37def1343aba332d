#include "mas/importance/importance.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "mas/error.h"
#include "mas/importance/methods.h"
#include "mas/text.h"

namespace mas {
namespace {

double largest(const at::Tensor& values) { return values.numel() ? values.max().item<double>() : 0; }

NamedTensors mean(const ImportanceRecord& record) {
  NamedTensors omega;
  for (const auto& [name, sum] : record.sum) omega[name] = (sum / static_cast<double>(record.count)).to(at::kFloat);
  return omega;
}

NamedTensors normalised(const NamedTensors& omega) {
  double total = 0, elements = 0;
  for (const auto& [name, value] : omega) {
    total += value.to(at::kDouble).sum().item<double>();
    elements += static_cast<double>(value.numel());
  }
  NamedTensors scaled;
  for (const auto& [name, value] : omega) scaled[name] = total > 0 ? value * (elements / total) : value;
  return scaled;
}

// What is kept of the old Ω and taken of the new.
std::pair<double, double> shares(const Combine& how) {
  if (how.kind == Combine::Kind::kEma) return {how.gamma, 1 - how.gamma};
  return {how.kind == Combine::Kind::kDecay ? how.gamma : 1, 1};
}

NamedTensors combine(const ImportanceRecord& record) {
  if (record.sum.empty() || record.count == 0) return record.closed;
  const Combine how = parse_combine(record.combine);
  NamedTensors omega = mean(record);
  if (how.kind == Combine::Kind::kNormalised) omega = normalised(omega);
  const auto [kept, taken] = shares(how);
  for (auto& [name, value] : omega) {
    const auto old = record.closed.find(name);
    if (old != record.closed.end()) value = kept * old->second + taken * value;
  }
  return omega;
}

bool is_anchored(const std::string& rule) { return parse_combine(rule).kind == Combine::Kind::kAnchors; }

bool is_constant(const std::string& method) {
  return method_called(method).origin == ImportanceMethod::Origin::kConstant;
}

// Whether what was fed is of the task learned last, so that more of it can be.
bool is_running(const ImportanceRecord& record, int64_t tasks) { return !record.sum.empty() && record.tasks == tasks; }

// Whether nothing of what is there goes into importance of this kind.
bool starts_anew(const ImportanceRecord& record, const FeedKind& kind) {
  if (is_constant(kind.method)) return true;
  if (record.empty()) return record.method != kind.method;
  return is_constant(record.method) && !is_running(record, kind.tasks);
}

const std::string& rule_of(const ImportanceRecord& record, const FeedKind& kind, const std::string& combine_text) {
  if (!combine_text.empty()) return combine_text;
  return record.combine.empty() || starts_anew(record, kind) ? method_called(kind.method).combine : record.combine;
}

bool equal(const NamedTensors& a, const NamedTensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && x.second.equal(y.second); });
}

void close_running(ImportanceRecord& record) {
  if (record.count > 0) record.closed_tasks++;
  record.closed = combine(record);
  record.sum.clear();
  record.count = 0;
}

void check_same_shapes(const NamedTensors& theirs, const NamedTensors& ours, const std::string& name) {
  for (const auto& [tensor, value] : theirs) {
    const auto own = ours.find(tensor);
    if (own == ours.end()) throw Error(name, fmt::format("importance of {}, which the others don't have", tensor));
    if (own->second.sizes() == value.sizes()) continue;
    throw Error(name, fmt::format("importance of {}: shape {}, but the others have {}", tensor,
                                  shape_text(value.sizes()), shape_text(own->second.sizes())));
  }
  for (const auto& [tensor, value] : ours) {
    if (!theirs.count(tensor)) throw Error(name, fmt::format("no importance of {}, which the others have", tensor));
  }
}

}  // namespace

Combine parse_combine(const std::string& text) {
  if (text == "sum") return {};
  if (text == "normalised") return {Combine::Kind::kNormalised, 0};
  if (text == "anchors") return {Combine::Kind::kAnchors, 0};
  const auto parts = cut(text, ':');
  const bool ema = parts[0] == "ema";
  if ((ema || parts[0] == "decay") && parts.size() == 2) {
    double gamma = 0;
    if (parse_number(parts[1], gamma) && gamma >= 0 && gamma < 1)
      return {ema ? Combine::Kind::kEma : Combine::Kind::kDecay, gamma};
    throw UsageError("--combine",
                     fmt::format("{0} needs a number from 0 to below 1, such as {0}:0.5, got {1}", parts[0], text));
  }
  throw UsageError("--combine", fmt::format("must be sum, ema:G, decay:G, normalised or anchors, got {}", text));
}

NamedTensors total_importance(const ImportanceRecord& record) { return combine(record); }

void check_feed(const ImportanceRecord& record, const FeedKind& kind, const std::string& combine_text,
                const std::string& name) {
  const bool running = is_running(record, kind.tasks);
  const bool same =
      record.method == kind.method && record.estimator == kind.estimator && record.outputs == kind.outputs;
  const auto held = fmt::format("method {}, estimator {}, outputs {}", record.method, record.estimator, record.outputs);
  if (running && !same)
    throw Error(name, fmt::format("holds samples of {}; feed the same, or start anew with --reset", held));
  if (starts_anew(record, kind)) return;
  if (!record.empty() && !same) {
    throw Error(name, fmt::format("its finished tasks hold importance of {}, and no other adds to it; go on with the "
                                  "same, or drop it with mas-importance --forget",
                                  held));
  }
  if (!is_anchored(rule_of(record, kind, combine_text))) return;
  if ((!running && record.count > 0) || (!record.closed.empty() && record.anchor.empty())) {
    throw Error(name,
                "the weights that its earlier importance belongs to are gone, and --combine anchors needs them; "
                "give it from the first task on, before the next is trained");
  }
}

void begin_feed(ImportanceRecord& record, const FeedKind& kind, const std::string& combine_text,
                const std::string& name) {
  check_feed(record, kind, combine_text, name);
  const std::string rule = rule_of(record, kind, combine_text);
  if (starts_anew(record, kind)) record = {};
  if (!is_running(record, kind.tasks)) close_running(record);
  record.combine = rule;
  if (!is_anchored(rule)) record.anchor.clear();
  record.tasks = kind.tasks;
  record.method = kind.method;
  record.estimator = kind.estimator;
  record.outputs = kind.outputs;
}

void feed(ImportanceRecord& record, const NamedTensors& sums, int64_t count) {
  for (const auto& [name, sum] : sums) {
    auto& own = record.sum[name];
    own = own.defined() ? own + sum : sum;
  }
  record.count += count;
}

void merge(ImportanceRecord& record, const ImportanceRecord& other, const std::string& combine_text,
           const std::string& name) {
  if (other.sum.empty()) throw Error(name, "has no importance of a running task to merge");
  if (!combine_text.empty()) parse_combine(combine_text);
  ImportanceRecord merged = record;
  const FeedKind kind{other.tasks, other.method, other.estimator, other.outputs};
  const bool running = is_running(record, kind.tasks);
  const auto differs = [&](const char* what, const std::string& theirs, const std::string& ours) {
    if (theirs != ours) throw Error(name, fmt::format("{} {}, but the others have {}", what, theirs, ours));
  };
  if (running || (!record.empty() && !starts_anew(record, kind))) {
    differs("method", other.method, record.method);
    differs("estimator", other.estimator, record.estimator);
    differs("outputs", other.outputs, record.outputs);
  }
  if (running) {
    if (combine_text.empty()) differs("combine", other.combine, record.combine);
    check_same_shapes(other.sum, record.sum, name);
  }
  begin_feed(merged, kind, combine_text.empty() ? other.combine : combine_text, name);
  if (!equal(merged.closed, other.closed) || !equal(merged.anchor, other.anchor))
    throw Error(name, "its finished tasks left another importance: not a shard of the same run");
  feed(merged, other.sum, other.count);
  record = std::move(merged);
}

void fold_anchors(ImportanceRecord& record, const NamedTensors& weights) {
  if (record.sum.empty() || !is_anchored(record.combine)) return;
  for (const auto& [name, omega] : mean(record)) {
    const at::Tensor theta = weights.at(name).detach().to(at::kDouble), running = omega.to(at::kDouble);
    at::Tensor& anchor = record.anchor[name];
    if (!anchor.defined()) anchor = theta;
    const at::Tensor before = anchor.to(at::kDouble);
    const auto closed = record.closed.find(name);
    const at::Tensor total = closed == record.closed.end() ? running : closed->second + running;
    const at::Tensor share = at::where(total > 0, running / total, at::ones_like(total));
    anchor = (before + share * (theta - before)).to(at::kFloat);
  }
  close_running(record);
}

void check_combinable(const ImportanceRecord& record, const NamedTensors& parameters, const std::string& name) {
  if (record.empty()) return;
  if (!is_method(record.method))
    throw Error(name, fmt::format("/importance has the unknown method \"{}\"", record.method));
  try {
    parse_combine(record.combine);
  } catch (const UsageError&) {
    throw Error(name, fmt::format("/importance has the unknown combine rule \"{}\"", record.combine));
  }
  if (!is_anchored(record.combine) && !record.anchor.empty()) {
    throw Error(name, fmt::format("/importance/anchor is there, but the combine rule is \"{}\", which has none",
                                  record.combine));
  }
  const bool anchored = is_anchored(record.combine) && !record.closed.empty();
  for (const auto& [group, tensors, needed] : {std::tuple{"closed", &record.closed, !record.closed.empty()},
                                               {"anchor", &record.anchor, anchored},
                                               {"sum", &record.sum, !record.sum.empty()}}) {
    for (const auto& [tensor, value] : parameters) {
      if (needed && !tensors->count(tensor))
        throw Error(name, fmt::format("/importance/{}/{} is missing", group, tensor));
    }
  }
  for (const auto& [tensor, sum] : record.sum) {
    const auto closed = record.closed.find(tensor);
    const double before = closed == record.closed.end() ? 0 : largest(closed->second);
    const double omega = record.count > 0 ? largest(sum) / static_cast<double>(record.count) : 0;
    if (before + omega > std::numeric_limits<float>::max())
      throw Error(name, fmt::format("/importance/sum/{}: {:.3g} a sample, which float32 can't hold", tensor, omega));
  }
}

}  // namespace mas
