#include "unit/importance/networks.h"

using namespace mas;
using namespace mas::test;

namespace {

NamedTensors mean(Golden& g, const EstimatorOptions& options, int64_t batch, std::vector<Path>* paths = nullptr) {
  Estimator e(g.forward(), g.params, options);
  auto all = estimate(e, g.images, batch);
  CHECK(e.count() == g.images.size(0));
  for (auto& [name, t] : all) t /= double(e.count());
  if (paths) *paths = e.paths();
  return all;
}

}  // namespace

TEST_CASE("every golden network's importance is right at every batch size, without the loop") {
  for (const auto& name : kGolden) {
    CAPTURE(name);
    auto g = golden(name);
    if (!g) return;
    const auto want = g->group("mas");
    for (int64_t batch : {int64_t(1), int64_t(5), g->images.size(0)}) {
      CAPTURE(batch);
      std::vector<Path> paths;
      CHECK(error(mean(*g, {}, batch, &paths), want) < 1e-5);
      for (const auto& p : paths) {
        CAPTURE(p.parameter);
        CAPTURE(p.why);
        if (batch > 1) CHECK(p.path != "loop");
        CHECK(p.path != "unused");
      }
    }
  }
}

TEST_CASE("every golden network's importance is right in the loop") {
  for (const auto& name : kGolden) {
    CAPTURE(name);
    auto g = golden(name);
    if (!g) return;
    EstimatorOptions options;
    options.loop = true;
    CHECK(error(mean(*g, options, 5), g->group("mas")) < 1e-5);
  }
}

TEST_CASE("averages of batches of four don't depend on the batches that arrive") {
  for (const auto& name : kGolden) {
    CAPTURE(name);
    auto g = golden(name);
    if (!g) return;
    EstimatorOptions options;
    options.batch_average = 4;
    for (int64_t batch : {int64_t(1), int64_t(5), g->images.size(0)})
      CHECK(error(mean(*g, options, batch), g->group("mas_batch4")) < 1e-5);
  }
}

TEST_CASE("the local rule agrees with every golden network that has one") {
  int found = 0;
  for (const auto& name : kGolden) {
    CAPTURE(name);
    auto g = golden(name);
    if (!g) return;
    const auto want = g->group("local");
    if (want.empty()) continue;
    found++;
    EstimatorOptions options;
    options.method = Method::kLocal;
    for (int64_t batch : {int64_t(1), int64_t(5), g->images.size(0)})
      CHECK(error(mean(*g, options, batch), want) < 1e-5);
  }
  CHECK(found == 2);
}

TEST_CASE("the Fisher information of every golden network with classes is right, without the loop") {
  int found = 0;
  for (const auto& name : kGolden) {
    CAPTURE(name);
    auto g = golden(name);
    if (!g) return;
    for (const auto& [kind, group] : {std::pair{Fisher::kExact, "ewc_exact"}, {Fisher::kEmpirical, "ewc_empirical"}}) {
      const auto want = g->group(group);
      if (want.empty()) continue;
      found++;
      EstimatorOptions options;
      options.method = Method::kFisher;
      options.fisher = kind;
      for (int64_t batch : {int64_t(1), int64_t(5), g->images.size(0)}) {
        Estimator e(g->forward(), g->params, options);
        for (int64_t i = 0; i < g->images.size(0); i += batch) {
          const int64_t end = std::min(g->images.size(0), i + batch);
          e.add(g->images.slice(0, i, end), g->labels.slice(0, i, end));
        }
        auto got = e.sum();
        for (auto& [parameter, sum] : got) sum /= double(e.count());
        CHECK(error(got, want) < 1e-5);
        for (const auto& p : e.paths())
          if (batch > 1) CHECK(p.path != "loop");
      }
    }
  }
  CHECK(found >= 8);
}
