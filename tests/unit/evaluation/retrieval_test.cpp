#include "mas/evaluation/retrieval.h"

#include <cmath>

#include "mas/model/architecture.h"
#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"
#include "unit/model/task.h"

using namespace mas;

namespace {

// Of each threshold in turn, by counting all samples again.
double slow_average_precision(const std::vector<double>& distances, const std::vector<bool>& relevant) {
  const std::set<double> thresholds(distances.begin(), distances.end());
  double sum = 0, before = 0, total = 0;
  for (const bool r : relevant) total += r;
  for (const double t : thresholds) {
    double hits = 0, taken = 0;
    for (size_t i = 0; i < distances.size(); i++) {
      if (distances[i] > t) continue;
      taken++;
      hits += relevant[i];
    }
    sum += (hits - before) / total * hits / taken;
    before = hits;
  }
  return sum;
}

Model facts_model() {
  Model model(with_own_outputs(make_architecture("mlp:20", {3, 32, 32}), 48), 5);
  model.add_task(test::task_record("a", "facts,batch=B1", {0, 1}, Scenario::kFacts, 1));
  return model;
}

// The same samples with other vectors.
class WithVectors : public Dataset {
 public:
  WithVectors(Dataset& data, at::Tensor vectors) : data_(data), vectors_(std::move(vectors)) {}
  int64_t size() const override { return data_.size(); }
  std::vector<int64_t> sample_shape() const override { return data_.sample_shape(); }
  bool has_labels() const override { return true; }
  std::vector<int64_t> classes() const override { return data_.classes(); }
  at::Tensor images(at::ArrayRef<int64_t> rows) override { return data_.images(rows); }
  at::Tensor labels(at::ArrayRef<int64_t> rows) override { return data_.labels(rows); }
  at::Tensor class_vectors() const override { return vectors_; }

 private:
  Dataset& data_;
  at::Tensor vectors_;
};

}  // namespace

TEST_CASE("average precision by hand, with ties, and against counting") {
  CHECK(average_precision({1, 2, 3}, {true, false, true}) == doctest::Approx((1 + 2.0 / 3) / 2));
  CHECK(average_precision({1, 1}, {true, false}) == 0.5);  // in whatever order they stand
  CHECK(average_precision({1, 1}, {false, true}) == 0.5);
  CHECK(average_precision({5, 0, 0}, {true, false, true}) == doctest::Approx(0.25 + 1.0 / 3));
  torch::manual_seed(1);
  for (int trial = 0; trial < 50; trial++) {
    std::vector<double> distances;
    std::vector<bool> relevant{true};
    for (int i = 0; i < 30; i++) distances.push_back(at::randint(8 + trial, {1}).item<double>());
    for (int i = 1; i < 30; i++) relevant.push_back(at::randint(4, {1}).item<int64_t>() == 0);
    CHECK(average_precision(distances, relevant) == doctest::Approx(slow_average_precision(distances, relevant)));
  }
}

TEST_CASE("retrieval asks for each fact of the data, and a longer fact answers a shorter") {
  auto model = facts_model();
  const auto data = data_test::open("facts,batch=B12,pictures=10");
  const auto found = measure_retrieval(model, model.tasks().back(), *data, *data, "/tmp");
  CHECK(found.facts == data->classes());
  at::NoGradGuard off;
  const auto rows = data_test::all_rows(*data);
  const auto y = model.forward(data->images(rows), model.tasks().back());
  const auto labels = data->labels(rows), vectors = data->class_vectors();
  double sum = 0;
  for (size_t q = 0; q < found.facts.size(); q++) {
    const std::string name = data->class_name(found.facts[q]);
    const std::string stem = name.substr(0, name.size() - 1);
    std::vector<double> distances;
    std::vector<bool> relevant;
    for (int64_t i = 0; i < data->size(); i++) {
      double distance = 0;
      for (int64_t k = 0; k < 48; k++) {
        const double v = vectors[found.facts[q]][k].item<double>();
        if (!std::isnan(v)) distance += std::pow(y[i][k].item<double>() - v, 2);
      }
      distances.push_back(distance);
      const std::string own = data->class_name(labels[i].item<int64_t>());
      relevant.push_back(own == name || own.rfind(stem + ",", 0) == 0);
    }
    const double want = slow_average_precision(distances, relevant);
    CHECK(found.precisions[q] == doctest::Approx(want).epsilon(1e-9));
    sum += want;
  }
  CHECK(found.mean() == doctest::Approx(sum / static_cast<double>(found.facts.size())).epsilon(1e-9));
  for (const int64_t distances : {int64_t{1}, 5 * data->size()})  // in parts
    CHECK(measure_retrieval(model, model.tasks().back(), *data, *data, "/tmp", distances).precisions ==
          found.precisions);
}

TEST_CASE("words with equal vectors are the same word, and -0 is 0") {
  auto model = facts_model();
  const auto data = data_test::open("facts,batch=B12,pictures=5");
  const auto precisions = [&](const at::Tensor& asked, const at::Tensor& searched) {
    WithVectors a(*data, asked), b(*data, searched);
    return measure_retrieval(model, model.tasks().back(), a, b, "/tmp").precisions;
  };
  const auto set = [&](int64_t column, double value) {
    at::Tensor vectors = data->class_vectors().clone();
    vectors.select(1, column).fill_(value);
    return vectors;
  };
  CHECK(precisions(set(0, 0.0), set(0, -0.0)) == precisions(set(0, 0.0), set(0, 0.0)));
  // With one vector for all subjects every picture answers <man>.
  at::Tensor one = data->class_vectors().clone();
  one.narrow(1, 0, 16).fill_(0.25);
  const auto found = precisions(one, one);
  const auto labels = data->classes();
  for (size_t q = 0; q < labels.size(); q++) {
    const bool alone = one[labels[q]][16].isnan().item<bool>();
    CHECK((found[q] == 1) == alone);
  }
}
