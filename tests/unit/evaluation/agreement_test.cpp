#include "mas/evaluation/agreement.h"

#include <cmath>

#include "mas/error.h"
#include "mas/importance/importance.h"
#include "mas/model/architecture.h"
#include "unit/doctest_torch.h"

using namespace mas;

namespace {

// By the definition, pair by pair: the rank is 1, and 1 for each smaller element and a half for each other equal one.
std::optional<double> slow(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> x, y;
  for (size_t i = 0; i < a.size(); i++)
    if (a[i] != 0 || b[i] != 0) x.push_back(a[i]), y.push_back(b[i]);
  const auto rank = [](const std::vector<double>& v, size_t i) {
    double r = 1;
    for (size_t j = 0; j < v.size(); j++) r += v[j] < v[i] ? 1 : j != i && v[j] == v[i] ? 0.5 : 0;
    return r;
  };
  const double mean = (static_cast<double>(x.size()) + 1) / 2;
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); i++) {
    const double p = rank(x, i) - mean, q = rank(y, i) - mean;
    xx += p * p, yy += q * q, xy += p * q;
  }
  if (x.size() < 2 || xx == 0 || yy == 0) return {};
  return xy / std::sqrt(xx * yy);
}

Model with_importance(double factor, const std::string& arch = "mlp:5") {
  Model model(make_architecture(arch, {1, 3, 3}), 7);
  auto& record = model.file.importance;
  begin_feed(record, {0, "mas", "per-sample", "head"}, "sum", "m");
  NamedTensors omega;
  for (const auto& [name, value] : model.shared_parameters())
    omega[name] = value.detach().abs().to(at::kDouble).pow(factor > 1 ? 2 : 1) * factor;
  feed(record, omega, 2);
  return model;
}

}  // namespace

TEST_CASE("rank correlation is that of a slow loop, with ties and zeros") {
  at::manual_seed(3);
  for (const int64_t n : {2, 3, 10, 200}) {
    for (const int64_t levels : {2, 5, 1000}) {
      const auto a = at::randint(0, levels, {n}, at::kDouble), b = at::randint(0, levels, {n}, at::kDouble) + a * 0.3;
      const double* p = a.data_ptr<double>();
      const double* q = b.data_ptr<double>();
      const auto want = slow({p, p + n}, {q, q + n}), got = rank_correlation(a, b);
      REQUIRE(want.has_value() == got.has_value());
      if (want) CHECK(*got == doctest::Approx(*want).epsilon(1e-12));
    }
  }
  CHECK(*rank_correlation(at::tensor({1.0, 2.0, 9.0}), at::tensor({0.1, 0.2, 0.3})) == doctest::Approx(1));
  CHECK(*rank_correlation(at::tensor({1.0, 2.0, 9.0}), at::tensor({3.0, 2.0, 1.0})) == doctest::Approx(-1));
  CHECK(!rank_correlation(at::tensor({1.0, 1.0}), at::tensor({1.0, 2.0})));
  CHECK(!rank_correlation(at::tensor({0.0, 1.0}), at::tensor({0.0, 2.0})));
  CHECK(!rank_correlation(at::empty({0}), at::empty({0})));
}

TEST_CASE("importance is compared parameter by parameter and over all") {
  const auto a = with_importance(1), b = with_importance(3);
  const auto rows = compare_importance(a, b);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].parameter == "fc1.bias");
  CHECK(rows[1].parameter == "fc1.weight");
  CHECK(rows[2].parameter.empty());
  CHECK(rows[2].elements == 50);
  for (const auto& row : rows) CHECK(*row.rank_correlation == doctest::Approx(1));
  const auto weight = a.shared_parameters().at("fc1.weight").detach().to(at::kDouble);
  CHECK(rows[1].mean == doctest::Approx(weight.abs().mean().item<double>() / 2));
  CHECK(rows[1].other_mean == doctest::Approx(weight.pow(2).mean().item<double>() * 1.5));

  const AgreementTable table{"a.h5", {{"b.h5", rows}}};
  const auto json = to_json(table);
  CHECK(json["others"][0]["all"]["elements"] == 50);
  CHECK(json["others"][0]["parameters"]["fc1.bias"]["rank_correlation"] == doctest::Approx(1));
  CHECK(to_csv(table).find("\nb.h5,all,50,") != std::string::npos);
}

TEST_CASE("importance of other networks can't be compared") {
  const auto a = with_importance(1), wider = with_importance(1, "mlp:6"), deeper = with_importance(1, "mlp:5,5");
  const Model none(make_architecture("mlp:5", {1, 3, 3}), 7);
  CHECK_THROWS_AS_MESSAGE(compare_importance(a, wider), Error, "");
  CHECK_THROWS_AS_MESSAGE(compare_importance(a, deeper), Error, "");
  CHECK_THROWS_AS_MESSAGE(compare_importance(deeper, a), Error, "");
  CHECK_THROWS_AS_MESSAGE(compare_importance(a, none), Error, "");
}
