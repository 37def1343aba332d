#include "mas/evaluation/agreement.h"

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/importance/importance.h"
#include "mas/line.h"
#include "mas/text.h"

namespace mas {
namespace {

// 1 for the smallest; elements that are equal have the mean of their ranks.
at::Tensor ranks(const at::Tensor& values) {
  const auto [sorted, order] = values.sort();
  const auto [distinct, group, count] = at::unique_consecutive(sorted, /*return_inverse=*/true, /*return_counts=*/true);
  const auto last = count.cumsum(0).to(at::kDouble);
  const auto mean = last - (count - 1).to(at::kDouble) / 2;
  return at::empty_like(values).scatter_(0, order, mean.index_select(0, group));
}

NamedTensors importance_of(const Model& model) {
  if (model.file.importance.empty()) {
    throw Error(model.name(), "has no importance to compare; compute it with mas-importance");
  }
  check_combinable(model.file.importance, model.shared_parameters(), model.name());
  return total_importance(model.file.importance);
}

double mean_of(const at::Tensor& values) { return values.numel() ? values.mean().item<double>() : 0; }

Agreement agreement(const std::string& parameter, const at::Tensor& a, const at::Tensor& b) {
  return {parameter, a.numel(), mean_of(a), mean_of(b), rank_correlation(a, b)};
}

nlohmann::json to_json(const Agreement& row) {
  nlohmann::json object{
      {"elements", row.elements}, {"mean", row.mean}, {"other_mean", row.other_mean}, {"rank_correlation", nullptr}};
  if (row.rank_correlation) object["rank_correlation"] = *row.rank_correlation;
  return object;
}

}  // namespace

std::optional<double> rank_correlation(const at::Tensor& a, const at::Tensor& b) {
  const auto x = a.flatten().to(at::kDouble), y = b.flatten().to(at::kDouble);
  const auto counts = x.ne(0).logical_or_(y.ne(0)).nonzero().squeeze(1);
  if (counts.numel() < 2) return {};
  const auto rank = [&](const at::Tensor& values) {
    const auto r = ranks(values.index_select(0, counts));
    return r - r.mean();
  };
  const auto p = rank(x), q = rank(y);
  const double norms = p.norm().item<double>() * q.norm().item<double>();
  if (norms == 0) return {};
  return p.dot(q).item<double>() / norms;
}

std::vector<Agreement> compare_importance(const Model& model, const Model& other) {
  const auto ours = importance_of(model), theirs = importance_of(other);
  std::vector<Agreement> rows;
  std::vector<at::Tensor> all, other_all;
  for (const auto& [name, omega] : ours) {
    const auto found = theirs.find(name);
    if (found == theirs.end() || found->second.sizes() != omega.sizes()) {
      throw Error(other.name(), fmt::format("has no importance of {} with shape {}, as {} has; give models of one "
                                            "architecture",
                                            name, shape_text(omega.sizes()), model.name()));
    }
    all.push_back(omega.flatten().to(at::kDouble));
    other_all.push_back(found->second.flatten().to(at::kDouble));
    rows.push_back(agreement(name, all.back(), other_all.back()));
  }
  for (const auto& [name, omega] : theirs) {
    if (ours.count(name)) continue;
    throw Error(other.name(), fmt::format("has importance of {}, which {} doesn't have; give models of one "
                                          "architecture",
                                          name, model.name()));
  }
  rows.push_back(agreement("", at::cat(all), at::cat(other_all)));
  return rows;
}

nlohmann::json to_json(const AgreementTable& table) {
  auto others = nlohmann::json::array();
  for (const auto& [name, rows] : table.others) {
    nlohmann::json object{{"model", name}, {"parameters", nlohmann::json::object()}};
    for (const auto& row : rows)
      (row.parameter.empty() ? object["all"] : object["parameters"][row.parameter]) = to_json(row);
    others.push_back(std::move(object));
  }
  return {{"schema", "mas-eval-importance/1"}, {"model", table.model}, {"others", others}};
}

std::string to_csv(const AgreementTable& table) {
  std::string csv = "model,parameter,elements,mean,other_mean,rank_correlation\n";
  for (const auto& [name, rows] : table.others) {
    for (const auto& row : rows) {
      csv +=
          fmt::format("{},{},{},{:.9g},{:.9g},", csv_field(name),
                      row.parameter.empty() ? "all" : csv_field(row.parameter), row.elements, row.mean, row.other_mean);
      csv += (row.rank_correlation ? fixed(*row.rank_correlation, 6) : "") + "\n";
    }
  }
  return csv;
}

}  // namespace mas
