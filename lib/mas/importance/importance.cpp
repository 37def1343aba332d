#include "mas/importance/importance.h"

#include <fmt/format.h>

#include <limits>

#include "mas/error.h"
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

NamedTensors combine(const ImportanceRecord& record) {
  if (record.sum.empty() || record.count == 0) return record.closed;
  const Combine how = parse_combine(record.combine);
  NamedTensors omega = mean(record);
  if (how.kind == Combine::Kind::kNormalised) omega = normalised(omega);
  for (auto& [name, value] : omega) {
    const auto old = record.closed.find(name);
    if (old == record.closed.end()) continue;
    value = how.kind == Combine::Kind::kEma ? how.gamma * old->second + (1 - how.gamma) * value : old->second + value;
  }
  return omega;
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
  if (text.rfind("ema:", 0) == 0) {
    double gamma = 0;
    if (parse_number(text.substr(4), gamma) && gamma >= 0 && gamma < 1) return {Combine::Kind::kEma, gamma};
    throw UsageError("--combine", fmt::format("ema needs a number from 0 to below 1, such as ema:0.5, got {}", text));
  }
  throw UsageError("--combine", fmt::format("must be sum, ema:G or normalised, got {}", text));
}

NamedTensors total_importance(const ImportanceRecord& record) { return combine(record); }

void begin_feed(ImportanceRecord& record, const FeedKind& kind, const std::string& combine_text,
                const std::string& name) {
  const bool running = !record.sum.empty() && record.tasks == kind.tasks;
  if (running &&
      (record.method != kind.method || record.estimator != kind.estimator || record.outputs != kind.outputs)) {
    throw Error(name, fmt::format("holds samples of method {}, estimator {}, outputs {}; feed the same, or start anew "
                                  "with --reset",
                                  record.method, record.estimator, record.outputs));
  }
  if (!combine_text.empty()) record.combine = combine_text;
  if (record.combine.empty()) record.combine = "sum";
  if (!running) {
    const bool fed = record.count > 0;
    record.closed = combine(record);
    if (fed) record.closed_tasks++;
    record.sum.clear();
    record.count = 0;
  }
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
  const bool running = !record.sum.empty() && record.tasks == other.tasks;
  const auto differs = [&](const char* what, const std::string& theirs, const std::string& ours) {
    if (theirs != ours) throw Error(name, fmt::format("{} {}, but the others have {}", what, theirs, ours));
  };
  if (running) {
    differs("method", other.method, record.method);
    differs("estimator", other.estimator, record.estimator);
    differs("outputs", other.outputs, record.outputs);
    if (combine_text.empty()) differs("combine", other.combine, record.combine);
    check_same_shapes(other.sum, record.sum, name);
  }
  begin_feed(merged, {other.tasks, other.method, other.estimator, other.outputs},
             combine_text.empty() ? other.combine : combine_text, name);
  bool same = merged.closed.size() == other.closed.size();
  for (const auto& [tensor, value] : other.closed) {
    const auto own = merged.closed.find(tensor);
    same = same && own != merged.closed.end() && own->second.equal(value);
  }
  if (!same) throw Error(name, "its finished tasks left another importance: not a shard of the same run");
  feed(merged, other.sum, other.count);
  record = std::move(merged);
}

void check_combinable(const ImportanceRecord& record, const NamedTensors& parameters, const std::string& name) {
  if (record.empty()) return;
  try {
    parse_combine(record.combine);
  } catch (const UsageError&) {
    throw Error(name, fmt::format("/importance has the unknown combine rule \"{}\"", record.combine));
  }
  for (const auto& [group, omega] : {std::pair{"closed", &record.closed}, {"sum", &record.sum}}) {
    for (const auto& [tensor, value] : parameters) {
      if (!omega->empty() && !omega->count(tensor))
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
