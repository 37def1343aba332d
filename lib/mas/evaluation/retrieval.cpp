#include "mas/evaluation/retrieval.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <unordered_map>

#include "mas/data/loader.h"
#include "mas/data/recording.h"
#include "mas/error.h"
#include "mas/model/accuracy.h"
#include "mas/model/objective.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr int64_t kBatch = 256;

// Facts as numbers of words, those with equal vectors having the same; -1 where there is none.
class Numbering {
 public:
  std::vector<std::array<int64_t, 3>> of(const at::Tensor& vectors) {
    const at::Tensor values = (vectors + 0.0f).contiguous();  // so that -0 is 0
    const auto size = values.size(1) / 3;
    const auto* word = values.data_ptr<float>();
    std::vector<std::array<int64_t, 3>> facts(static_cast<size_t>(values.size(0)));
    for (auto& fact : facts)
      for (auto& number : fact) {
        const std::string bytes(reinterpret_cast<const char*>(word), static_cast<size_t>(size) * sizeof(float));
        number = std::isnan(*word) ? -1 : numbers_.try_emplace(bytes, numbers_.size()).first->second;
        word += size;
      }
    return facts;
  }

 private:
  std::unordered_map<std::string, int64_t> numbers_;
};

// Whether a fact has all parts of the one that is asked for.
bool answers(const std::array<int64_t, 3>& fact, const std::array<int64_t, 3>& asked) {
  for (size_t i = 0; i < 3; i++)
    if (asked[i] >= 0 && asked[i] != fact[i]) return false;
  return true;
}

std::string name_of(const Dataset& data, int64_t label) {
  const std::string name = data.class_name(label);
  return name.empty() ? fmt::format("fact {}", label) : printable(name);
}

std::vector<int64_t> present_labels(Dataset& data) {
  const at::Tensor labels = data.labels(every_row(data));
  const std::set<int64_t> present(labels.data_ptr<int64_t>(), labels.data_ptr<int64_t>() + labels.numel());
  return {present.begin(), present.end()};
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

Retrieval measure_retrieval(Model& model, const TaskRecord& task, Dataset& asked, Dataset& searched,
                            const std::string& scratch, int64_t distances) {
  at::NoGradGuard no_grad;
  model.train(false);
  const auto rows = every_row(searched);
  const auto forward = [&](const at::Tensor& x) {
    const at::Tensor y = model.forward(x, task);
    require_finite(y, x, model, task);
    return y;
  };
  const Recording outputs(searched, rows, kBatch, model.outputs(task), forward, scratch, "outputs");
  const at::Tensor labels = searched.labels(rows);
  const auto* const own = labels.data_ptr<int64_t>();
  Numbering numbering;
  const auto asked_words = numbering.of(asked.class_vectors()), searched_words = numbering.of(searched.class_vectors());
  Retrieval result;
  result.facts = present_labels(asked);
  const auto at_once = static_cast<size_t>(std::max<int64_t>(1, distances / searched.size()));
  for (size_t first = 0; first < result.facts.size(); first += at_once) {
    const auto count = std::min(at_once, result.facts.size() - first);
    const at::ArrayRef<int64_t> facts(result.facts.data() + first, count);
    const at::Tensor vectors = asked.class_vectors().index_select(0, at::tensor(facts, at::kLong));
    at::Tensor found = at::empty({static_cast<int64_t>(count), searched.size()}, at::kDouble);
    for (int64_t row = 0; row < searched.size(); row += kBatch) {
      const auto n = std::min(kBatch, searched.size() - row);
      const at::ArrayRef<int64_t> part(rows.data() + row, static_cast<size_t>(n));
      found.narrow(1, row, n).copy_(fact_distances(outputs.of(part), vectors).t());
    }
    for (size_t i = 0; i < count; i++) {
      const at::Tensor of_fact = found[static_cast<int64_t>(i)];
      const auto* d = of_fact.data_ptr<double>();
      const auto& words = asked_words[static_cast<size_t>(facts[i])];
      std::vector<bool> wanted;
      for (int64_t row = 0; row < searched.size(); row++)
        wanted.push_back(answers(searched_words[static_cast<size_t>(own[row])], words));
      if (std::find(wanted.begin(), wanted.end(), true) == wanted.end())
        throw Error("--among", fmt::format("holds no picture of {}, which --data asks for; name the set that those are "
                                           "a part of",
                                           name_of(asked, facts[i])));
      result.precisions.push_back(average_precision({d, d + searched.size()}, wanted));
    }
  }
  return result;
}

}  // namespace mas
