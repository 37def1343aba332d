#include "mas/training/trainer.h"

#include <cstdio>
#include <filesystem>
#include <numeric>

#include "mas/error.h"
#include "mas/model/accuracy.h"
#include "mas/model/architecture.h"
#include "mas/training/checkpoint.h"
#include "unit/memory_dataset.h"

using namespace mas;

namespace {

// A network with a state of its own (running statistics) and a use for random numbers in training.
const auto kNormalised = nlohmann::json::parse(R"({"name": "normalised", "input": [2, 2, 2], "layers": [
    {"type": "conv2d", "name": "c", "out": 6, "kernel": 1}, {"type": "batch_norm2d", "name": "n"}, {"type": "relu"},
    {"type": "dropout", "p": 0.3}, {"type": "flatten"}]})");

MemoryDataset as_images(MemoryDataset data) {
  std::vector<int64_t> rows(static_cast<size_t>(data.size()));
  std::iota(rows.begin(), rows.end(), 0);
  return {data.images(rows).reshape({-1, 2, 2, 2}), data.labels(rows)};
}

// Another task on the same samples, with a head of its own.
void add_second_task(Model& model) {
  TaskRecord task = model.tasks().back();
  task.name = "b";
  task.seed = 4;
  model.add_task(task);
}

// A task on clouds, added to a model.
Model with_task(MemoryDataset& data, nlohmann::json arch = {}) {
  Model model(arch.is_null() ? make_architecture("mlp:16", data.sample_shape()) : arch, 3);
  TaskRecord task;
  task.name = "a";
  task.data = "clouds";
  task.classes = data.classes();
  task.seed = 3;
  model.add_task(task);
  return model;
}

void give_importance(Model& model, double omega) {
  auto& record = model.file.importance;
  for (const auto& [name, value] : model.shared_parameters()) record.closed[name] = torch::full(value.sizes(), omega);
  record.closed_tasks = 1;
  record.method = "mas";
  record.estimator = "per-sample";
  record.combine = "sum";
}

bool equal(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, value] : a) {
    if (!b.count(name) || !value.equal(b.at(name))) return false;
  }
  return true;
}

NamedTensors copy(const NamedTensors& tensors) {
  NamedTensors copies;
  for (const auto& [name, value] : tensors) copies[name] = value.clone();
  return copies;
}

}  // namespace

TEST_CASE("training learns, and reports loss, accuracy and penalty") {
  auto data = MemoryDataset::clouds(600, 8, 4, 1);
  auto model = with_task(data);
  give_importance(model, 0.1);
  TrainOptions options;
  options.lambda = 1;
  options.validation = 0.2;
  options.optimizer.lr = 0.02;
  std::vector<EpochReport> reports;
  TrainCallbacks callbacks;
  callbacks.epoch = [&](const EpochReport& r) { reports.push_back(r); };
  const auto anchor = copy(model.shared_parameters());
  train(model, data, options, "", callbacks);
  REQUIRE(reports.size() == 4);
  CHECK(reports.back().loss < reports.front().loss);
  CHECK(reports.back().accuracy > 0.9);
  CHECK(*reports.back().validation > 0.9);
  double penalty = 0;  // lambda = 1, omega = 0.1
  for (const auto& [name, value] : model.shared_parameters())
    for (int64_t i = 0; i < value.numel(); i++) {
      const double distance = value.flatten()[i].item<double>() - anchor.at(name).flatten()[i].item<double>();
      penalty += 0.1 * distance * distance;
    }
  CHECK(reports.back().penalty == doctest::Approx(penalty).epsilon(1e-6));
  CHECK(reports.back().penalty > 0);
  CHECK(!model.shared_parameters().begin()->second.requires_grad());
}

TEST_CASE("under the rule anchors a training closes the task before, and its penalty is about where that was") {
  const auto path = (std::filesystem::temp_directory_path() / "mas_trainer_anchors.h5").string();
  auto data = MemoryDataset::clouds(600, 8, 4, 1);
  const auto important = [&] {
    auto model = with_task(data);
    auto& record = model.file.importance;
    for (const auto& [name, value] : model.shared_parameters()) {
      record.closed[name] = torch::full(value.sizes(), 0.1f);
      record.anchor[name] = torch::full(value.sizes(), 0.5f);
      record.sum[name] = torch::full(value.sizes(), 0.6, at::kDouble);
    }
    record.closed_tasks = 1;
    record.count = 2;
    record.method = "ewc";
    record.combine = "anchors";
    return model;
  };
  auto model = important();
  const auto before = copy(model.shared_parameters());
  TrainOptions options;
  options.lambda = 3;
  std::vector<EpochReport> reports;
  struct Interrupted {};
  TrainCallbacks callbacks;
  callbacks.epoch = [&](const EpochReport& r) { reports.push_back(r); };
  train(model, data, options, "", callbacks);
  double penalty = 0;  // ½ λ Σ F (θ - m)², F = 0.1 + 0.3, m between 0.5 and the weights before
  for (const auto& [name, value] : model.shared_parameters()) {
    for (int64_t i = 0; i < value.numel(); i++) {
      const double m = (0.1 * 0.5 + 0.3 * before.at(name).flatten()[i].item<double>()) / 0.4;
      const double distance = value.flatten()[i].item<double>() - m;
      penalty += 0.5 * 3 * 0.4 * distance * distance;
    }
  }
  CHECK(reports.back().penalty == doctest::Approx(penalty).epsilon(1e-5));
  CHECK(model.file.importance.sum.empty());
  CHECK(model.file.importance.closed_tasks == 2);

  auto part = important();
  callbacks.epoch = [](const EpochReport& r) {
    if (r.epoch == 3) throw Interrupted{};
  };
  CHECK_THROWS_AS(train(part, data, options, path, callbacks), Interrupted);
  Model again(read_model(path), path);
  train(again, data, options);
  CHECK(serialize_model(again.file) == serialize_model(model.file));
  std::remove(path.c_str());
}

TEST_CASE("a penalty of great weight keeps the shared parameters where they were") {
  auto data = MemoryDataset::clouds(600, 8, 4, 1);
  const auto moved = [&](double lambda) {
    auto model = with_task(data);
    give_importance(model, 1);
    const auto before = model.shared_parameters().at("fc1.weight").clone();
    TrainOptions options;
    options.lambda = lambda;
    options.penalty_step = PenaltyStep::kProximal;
    train(model, data, options);
    return (model.shared_parameters().at("fc1.weight") - before).abs().max().item<double>();
  };
  CHECK(moved(0) > 0.02);
  CHECK(moved(1e9) < 1e-6);
}

TEST_CASE("the same seed gives the same bits") {
  auto data = MemoryDataset::clouds(300, 8, 4, 1);
  auto a = with_task(data), b = with_task(data);
  train(a, data, {});
  torch::manual_seed(99);
  train(b, data, {});
  CHECK(equal(a.file.weights, b.file.weights));
  CHECK(equal(a.file.heads.at("a"), b.file.heads.at("a")));
}

TEST_CASE("a training that was interrupted goes on bit for bit") {
  const auto path = (std::filesystem::temp_directory_path() / "mas_trainer_test.h5").string();
  auto rows = MemoryDataset::clouds(300, 8, 4, 1), images = as_images(rows);
  using Kind = OptimizerOptions::Kind;
  struct Case {
    nlohmann::json arch;
    Kind kind;
    int patience;
    DistillOptions::Kind distill = DistillOptions::Kind::kNone;
    int warm_up = 0;  // the checkpoint is that after the third of five epochs
  };
  const auto none = DistillOptions::Kind::kNone;
  for (const auto& [arch, kind, patience, distill, warm_up] :
       {Case{{}, Kind::kAdam, 0}, Case{{}, Kind::kSgd, 5}, Case{kNormalised, Kind::kAdam, 5},
        Case{{}, Kind::kAdam, 0, none, 3}, Case{kNormalised, Kind::kSgd, 1, none, 4}, Case{{}, Kind::kAdam, 0, none, 2},
        Case{kNormalised, Kind::kAdam, 0, DistillOptions::Kind::kLwf, 3},
        Case{kNormalised, Kind::kAdam, 0, DistillOptions::Kind::kLwf},
        Case{kNormalised, Kind::kSgd, 5, DistillOptions::Kind::kEbll}}) {
    CAPTURE(arch.dump());
    auto& data = arch.is_null() ? rows : images;
    TrainOptions options;
    options.epochs = 5;
    options.optimizer.kind = kind;
    options.optimizer.momentum = 0.9;
    options.optimizer.lr = 0.01;
    options.schedule = "cosine";
    options.validation = 0.2;
    options.patience = patience;
    options.distill.kind = distill;
    options.warm_up = warm_up;
    options.code = distill == DistillOptions::Kind::kEbll ? 3 : 0;
    const auto begun = [&, &arch = arch] {
      auto model = with_task(data, arch);
      if (options.distill.active()) add_second_task(model);
      if (options.code > 0) model.file.encoders["a"] = new_linear(3, model.network().feature_size(), 1);
      give_importance(model, 0.2);
      return model;
    };
    auto whole = begun();
    train(whole, data, options);

    auto part = begun();
    struct Interrupted {};
    TrainCallbacks callbacks;
    int epochs = 0;
    callbacks.epoch = [&](const EpochReport&) {
      if (++epochs == 4) throw Interrupted{};  // the checkpoint is that of epoch 3
    };
    CHECK_THROWS_AS(train(part, data, options, path, callbacks), Interrupted);
    Model again(read_model(path), path);
    CHECK(has_state(again.file));
    train(again, data, options);
    CHECK(equal(again.file.weights, whole.file.weights));
    CHECK(equal(again.file.buffers, whole.file.buffers));
    CHECK(again.file.buffers.empty() == arch.is_null());
    CHECK(equal(again.file.heads.at("a"), whole.file.heads.at("a")));
    CHECK(whole.file.encoders.size() == (options.code > 0 ? 2 : 0));
    CHECK(serialize_model(again.file) == serialize_model(whole.file));
  }
  std::remove(path.c_str());
}

TEST_CASE("distillation holds the answers of an earlier head, which learns along") {
  auto data = MemoryDataset::clouds(600, 8, 4, 1), other = MemoryDataset::clouds(600, 8, 4, 2);
  auto model = with_task(data);
  TrainOptions options;
  options.optimizer.lr = 0.02;
  train(model, data, options);
  add_second_task(model);
  const auto& first = model.tasks().front();
  const auto then = copy(model.head_parameters(first));
  const double before = measure_accuracy(model, first, data).fraction();
  struct Outcome {
    double kept, loss, distill;
    bool head_moved;
  };
  const auto learn = [&](double weight) {
    auto file = model.file;
    for (auto* tensors : {&file.weights, &file.heads["a"], &file.heads["b"]}) *tensors = copy(*tensors);
    Model next(file, "next");
    options.distill.kind = weight > 0 ? DistillOptions::Kind::kLwf : DistillOptions::Kind::kNone;
    options.distill.weight = weight;
    Outcome outcome{};
    TrainCallbacks callbacks;
    callbacks.epoch = [&](const EpochReport& r) { outcome.loss = r.loss, outcome.distill = r.distill; };
    train(next, other, options, "", callbacks);
    outcome.kept = measure_accuracy(next, next.tasks().front(), data).fraction();
    outcome.head_moved = !equal(next.head_parameters(next.tasks().front()), then);
    return outcome;
  };
  const auto finetuned = learn(0), distilled = learn(1);
  CHECK(before > 0.9);
  CHECK(distilled.kept > finetuned.kept + 0.01);
  CHECK(distilled.loss < 0.3);
  CHECK(finetuned.distill == 0);
  CHECK(distilled.distill > 0);
  CHECK_FALSE(finetuned.head_moved);
  CHECK(distilled.head_moved);
}

TEST_CASE("patience ends a training that gets no better, with the best weights") {
  auto data = MemoryDataset::clouds(400, 8, 4, 1);
  auto model = with_task(data);
  TrainOptions options;
  options.epochs = 60;
  options.validation = 0.25;
  options.patience = 3;
  options.optimizer.lr = 0.02;
  std::vector<double> accuracies;
  TrainCallbacks callbacks;
  std::vector<NamedTensors> weights;
  callbacks.epoch = [&](const EpochReport& r) {
    accuracies.push_back(*r.validation);
    weights.push_back(copy(model.file.weights));
  };
  train(model, data, options, "", callbacks);
  REQUIRE(accuracies.size() < 60);
  const auto best = std::max_element(accuracies.begin(), accuracies.end());
  CHECK(accuracies.end() - best == 4);
  CHECK(equal(model.file.weights, weights[static_cast<size_t>(best - accuracies.begin())]));
  CHECK_FALSE(equal(model.file.weights, weights.back()));
}

TEST_CASE("a loss that isn't finite stops the training") {
  auto data = MemoryDataset::clouds(300, 8, 4, 1);
  auto model = with_task(data);
  TrainOptions options;
  options.optimizer.kind = OptimizerOptions::Kind::kSgd;
  options.optimizer.lr = 1e12;
  CHECK_THROWS_AS(train(model, data, options), Error);
}

TEST_CASE("a step that would diverge is refused before any training") {
  auto data = MemoryDataset::clouds(300, 8, 4, 1);
  auto model = with_task(data);
  give_importance(model, 300);
  const auto before = copy(model.file.weights);
  TrainOptions options;
  options.optimizer.kind = OptimizerOptions::Kind::kSgd;
  options.optimizer.lr = 0.01;
  CHECK_THROWS_AS(train(model, data, options), Error);
  options.optimizer.lr = 1e-6;
  options.epochs = 20000;
  options.schedule = "step:19999:10000";  // the last epoch alone has too large a rate
  CHECK_THROWS_AS(train(model, data, options), Error);
  CHECK(equal(model.file.weights, before));
}

TEST_CASE("data that don't fit the network are refused with both shapes") {
  auto data = MemoryDataset::clouds(300, 8, 4, 1), other = MemoryDataset::clouds(300, 9, 4, 1);
  auto model = with_task(data);
  CHECK_THROWS_WITH_AS(train(model, other, {}), "clouds: samples of 9 values, but mlp:16 takes 8", Error);
}
