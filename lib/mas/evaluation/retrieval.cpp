#include "mas/evaluation/retrieval.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "mas/data/loader.h"
#include "mas/data/recording.h"
#include "mas/model/accuracy.h"
#include "mas/model/objective.h"

namespace mas {
namespace {

constexpr int64_t kBatch = 256;

// Whether label b has all parts of the facts in `asked`: [asked, labels].
at::Tensor relevance(const at::Tensor& asked, const at::Tensor& vectors) {
  at::Tensor relevant = at::empty({asked.size(0), vectors.size(0)}, at::kBool);
  for (int64_t i = 0; i < asked.size(0); i++)
    relevant[i].copy_(vectors.eq(asked[i]).logical_or(asked[i].isnan()).all(1));
  return relevant;
}

}  // namespace

double average_precision(const std::vector<double>& distances, const std::vector<bool>& relevant) {
  std::vector<size_t> order(distances.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return distances[a] < distances[b]; });
  double sum = 0, found = 0;
  for (size_t k = 0; k < order.size();) {
    const double before = found;
    for (const double here = distances[order[k]]; k < order.size() && distances[order[k]] == here; k++)
      found += relevant[order[k]];
    sum += (found - before) * found / static_cast<double>(k);
  }
  return sum / found;
}

double Retrieval::mean() const {
  return std::accumulate(precisions.begin(), precisions.end(), 0.0) / static_cast<double>(precisions.size());
}

Retrieval measure_retrieval(Model& model, const TaskRecord& task, Dataset& data, const std::string& scratch,
                            int64_t distances) {
  at::NoGradGuard no_grad;
  model.train(false);
  const at::Tensor vectors = data.class_vectors();
  const auto rows = every_row(data);
  const auto forward = [&](const at::Tensor& x) {
    const at::Tensor y = model.forward(x, task);
    require_finite(y, x, model, task);
    return y;
  };
  const Recording outputs(data, rows, kBatch, model.outputs(task), forward, scratch, "outputs");
  const at::Tensor labels = data.labels(rows);
  Retrieval result;
  const auto* const values = labels.data_ptr<int64_t>();
  const std::set<int64_t> present(values, values + labels.numel());
  result.facts.assign(present.begin(), present.end());
  const auto at_once = static_cast<size_t>(std::max<int64_t>(1, distances / data.size()));
  for (size_t first = 0; first < result.facts.size(); first += at_once) {
    const auto count = std::min(at_once, result.facts.size() - first);
    const at::Tensor asked =
        vectors.index_select(0, at::tensor(at::ArrayRef<int64_t>(result.facts.data() + first, count), at::kLong));
    at::Tensor found = at::empty({static_cast<int64_t>(count), data.size()}, at::kDouble);
    for (int64_t row = 0; row < data.size(); row += kBatch) {
      const auto n = std::min(kBatch, data.size() - row);
      const at::ArrayRef<int64_t> part(rows.data() + row, static_cast<size_t>(n));
      found.narrow(1, row, n).copy_(fact_distances(outputs.of(part), asked).t());
    }
    const at::Tensor relevant = relevance(asked, vectors);
    for (size_t i = 0; i < count; i++) {
      const at::Tensor of_fact = found[static_cast<int64_t>(i)], of_label = relevant[static_cast<int64_t>(i)];
      const auto* d = of_fact.data_ptr<double>();
      const auto* r = of_label.data_ptr<bool>();
      std::vector<bool> wanted;
      for (int64_t row = 0; row < data.size(); row++) wanted.push_back(r[values[row]]);
      result.precisions.push_back(average_precision({d, d + data.size()}, wanted));
    }
  }
  return result;
}

}  // namespace mas
