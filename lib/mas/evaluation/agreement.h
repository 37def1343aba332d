#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mas/model/model.h"

namespace mas {

/// Spearman's rank correlation of two tensors of as many elements, ties having the mean of their ranks, over the
/// elements that aren't 0 in both: what neither finds important (the weights of a pixel that is always black, say)
/// tells nothing of how they agree. Empty where fewer than two elements are left or one tensor is constant there.
std::optional<double> rank_correlation(const at::Tensor& a, const at::Tensor& b);

/// How two estimates of one parameter's importance agree.
struct Agreement {
  std::string parameter;  ///< empty: all parameters together
  int64_t elements = 0;
  double mean = 0, other_mean = 0;  ///< of Ω
  std::optional<double> rank_correlation;
};

/// A row for each parameter and the last for all. Throws Error naming the file that has no importance, or the other
/// where it is of other parameters.
std::vector<Agreement> compare_importance(const Model& model, const Model& other);

/// Of a model with each of several others.
struct AgreementTable {
  std::string model;
  std::vector<std::pair<std::string, std::vector<Agreement>>> others;  ///< file -> compare_importance()
};
/// The object of `mas-eval --importance --json` (man page mas-eval, JSON).
nlohmann::json to_json(const AgreementTable& table);
/// A header and a line for each parameter of each other model; "all" names the line for all parameters.
std::string to_csv(const AgreementTable& table);

}  // namespace mas
