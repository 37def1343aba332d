#include "mas/training/encoder.h"

#include <cmath>
#include <numeric>

#include "mas/model/architecture.h"
#include "unit/memory_dataset.h"

using namespace mas;

namespace {

std::vector<int64_t> all_rows(const Dataset& data) {
  std::vector<int64_t> rows(static_cast<size_t>(data.size()));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

Model with_task(const MemoryDataset& data, const std::string& arch) {
  Model model(make_architecture(arch, data.sample_shape()), 3);
  TaskRecord task;
  task.name = "a";
  task.data = "clouds";
  task.classes = data.classes();
  model.add_task(task);
  return model;
}

EncoderOptions options() {
  EncoderOptions options;
  options.code = 5;
  options.batch_size = 50;
  return options;
}

}  // namespace

TEST_CASE("a code is the sigmoid of a linear map, term by term") {
  torch::manual_seed(1);
  const NamedTensors encoder{{"weight", torch::randn({3, 4})}, {"bias", torch::randn({3})}};
  const auto features = torch::randn({2, 4}), code = encode(encoder, features);
  REQUIRE(code.sizes() == at::IntArrayRef({2, 3}));
  for (int64_t n = 0; n < 2; n++)
    for (int64_t c = 0; c < 3; c++) {
      double sum = encoder.at("bias")[c].item<double>();
      for (int64_t f = 0; f < 4; f++) sum += encoder.at("weight")[c][f].item<double>() * features[n][f].item<double>();
      CHECK(code[n][c].item<double>() == doctest::Approx(1 / (1 + std::exp(-sum))).epsilon(1e-5));
    }
}

TEST_CASE("an encoder learns what reconstructs the features, and leaves the network as it was") {
  auto data = MemoryDataset::clouds(400, 8, 4, 1);
  auto model = with_task(data, "mlp:16");
  const auto weight = model.shared_parameters().at("fc1.weight").clone(),
             head = model.file.heads["a"]["weight"].clone();
  const auto& task = model.tasks().back();
  const auto report = train_encoder(model, task, data, all_rows(data), options());
  CHECK(report.error < 0.6);  // 1 is what the mean alone leaves
  CHECK(report.error > 0);
  const auto& encoder = model.file.encoders.at("a");
  CHECK(encoder.at("weight").sizes() == at::IntArrayRef({5, 16}));
  CHECK(encoder.at("bias").sizes() == at::IntArrayRef({5}));
  CHECK_FALSE(encoder.at("weight").requires_grad());
  CHECK(model.shared_parameters().at("fc1.weight").equal(weight));
  CHECK(model.file.heads["a"]["weight"].equal(head));
  CHECK_FALSE(model.file.heads["a"]["weight"].grad().defined());
  const auto first = encoder.at("weight").clone();
  train_encoder(model, task, data, all_rows(data), options());
  CHECK(model.file.encoders.at("a").at("weight").equal(first));
}

TEST_CASE("the error is that of the features that vary, however many don't") {
  auto data = MemoryDataset::clouds(200, 8, 4, 1);
  auto model = with_task(data, "mlp:16");
  for (int64_t dead = 4; dead < 16; dead++) {
    model.file.weights["fc1.weight"][dead].zero_();
    model.file.weights["fc1.bias"][dead] = -1;  // ReLU gives 0
  }
  auto one = options();
  one.code = 1;  // for four features
  const auto report = train_encoder(model, model.tasks().back(), data, all_rows(data), one);
  CHECK(report.error > 0.25);  // all that four of sixteen could give
  CHECK(report.error < 1);
}

TEST_CASE("features that never vary are no part of the code") {
  auto data = MemoryDataset::clouds(200, 8, 4, 1);
  auto model = with_task(data, "mlp:16");
  model.file.weights["fc1.weight"][3].zero_();
  model.file.weights["fc1.bias"][3] = -1;  // ReLU gives 0
  model.file.weights["fc1.weight"][4].zero_();
  model.file.weights["fc1.bias"][4] = 1000;
  train_encoder(model, model.tasks().back(), data, all_rows(data), options());
  const auto largest = model.file.encoders.at("a").at("weight").abs().amax(0);
  CHECK(largest[3].item<float>() == 0);
  CHECK(largest[4].item<float>() == 0);
  CHECK(largest[5].item<float>() > 0);
}
