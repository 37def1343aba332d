#include "format/golden_model.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

namespace {

const std::string kGolden = MAS_SOURCE_DIR "/tests/format/model-1.0.h5";

}  // namespace

TEST_CASE("a file of version 1.0 still reads to what was written then") {
  const auto model = mas::read_model(kGolden);
  CHECK(model.arch.dump() == R"({"kind":"mlp","widths":[3,2,2]})");
  CHECK(model.script.size() == 22);
  const auto& weight = model.weights.at("layers.0.weight");
  CHECK(torch::equal(weight, torch::tensor({{-3.f, -2.f, -1.f}, {0.f, 1.f, 2.f}})));
  CHECK(torch::equal(model.weights.at("layers.0.bias"), torch::tensor({0., 0.25}, torch::kDouble)));
  CHECK(model.buffers.at("norm.num_batches_tracked").item<int64_t>() == 7);
  CHECK(model.buffers.at("norm.seen").item<bool>());
  CHECK(torch::equal(model.heads.at("high").at("fc.weight"), torch::eye(2)));
  CHECK(torch::equal(model.importance.closed.at("layers.0.weight"), torch::full({2, 3}, 0.25)));
  CHECK(model.importance.sum.at("layers.0.weight")[1][2].item<double>() == 5.0);
  CHECK(model.importance.count == 5000000000);
  CHECK(model.importance.tasks == 2);
  CHECK(model.importance.closed_tasks == 1);
  CHECK(model.importance.method == "mas");
  CHECK(model.importance.estimator == "batch:20");
  CHECK(model.importance.combine == "ema:0.5");
  CHECK(model.tasks.at(1).at("name") == "h\xc3\xb6her");
  CHECK(model.results.at(0).at("accuracy").at(0) == 0.97);
  CHECK(model.optimizer.count("anchor/layers.0.weight") == 1);
  CHECK(model.progress.at("epoch") == 2);
  CHECK(model.unknown == nullptr);
}

TEST_CASE("the same content is still written as the same bytes") {
  CHECK(mas::serialize_model(mas::test::golden_model()) == mas::test::get(kGolden));
}
