#include "mas/importance/path_integral.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <numeric>

#include "mas/error.h"
#include "mas/importance/importance.h"
#include "mas/model/architecture.h"
#include "mas/training/trainer.h"
#include "unit/memory_dataset.h"

using namespace mas;

namespace {

constexpr int64_t kSamples = 60;

void add_task(Model& model, const char* name, std::vector<int64_t> classes, Scenario scenario) {
  TaskRecord task;
  task.name = name;
  task.data = "clouds";
  task.classes = std::move(classes);
  task.scenario = scenario;
  model.add_task(task);
}

// A model that is to learn its task, on `data`; after another where there is an importance to be penalised with: in
// scenario class of other classes, so that the head has grown.
Model learner(MemoryDataset& data, bool penalised, Scenario scenario = Scenario::kTask) {
  Model model(make_architecture("mlp:5", data.sample_shape()), 3);
  if (penalised) {
    const bool grows = scenario == Scenario::kClass;
    add_task(model, "before", grows ? std::vector<int64_t>{7, 8} : data.classes(), scenario);
    auto& record = model.file.importance;
    torch::manual_seed(8);
    for (const auto& [name, value] : model.shared_parameters()) {
      record.closed[name] = torch::rand(value.sizes());
      record.sum[name] = torch::rand(value.sizes(), at::kDouble);
    }
    record.count = record.tasks = record.closed_tasks = 1;
    record.method = "si";
    record.estimator = "path:0.05";
    record.combine = "sum";
  }
  add_task(model, "now", data.classes(), scenario);
  return model;
}

// Ω of both, added up by hand.
NamedTensors omega_of(const ImportanceRecord& record) {
  NamedTensors omega;
  for (const auto& [name, sum] : record.sum) omega[name] = record.closed.at(name).to(at::kDouble) + sum;
  return omega;
}

TrainOptions options_of(OptimizerOptions::Kind kind) {
  TrainOptions options;
  options.batch_size = kSamples;  // a step an epoch, so that the order is no matter
  options.epochs = 12;
  options.lambda = 0.3;
  options.optimizer.kind = kind;
  options.optimizer.lr = kind == OptimizerOptions::Kind::kAdam ? 0.02 : 0.2;
  options.optimizer.momentum = 0.8;
  options.optimizer.weight_decay = 0.01;
  options.track_si = true;
  options.xi = 0.05;
  return options;
}

// What training does, step by step in double, and its path.
class ByHand {
 public:
  ByHand(const Model& model, MemoryDataset& data, const TrainOptions& options) : options_(options) {
    std::vector<int64_t> rows(kSamples);
    std::iota(rows.begin(), rows.end(), 0);
    images_ = data.images(rows).to(at::kDouble);
    labels_ = data.labels(rows);
    omega_ = omega_of(model.file.importance);
    for (const auto& [name, value] : model.shared_parameters()) theta_[name] = value.to(at::kDouble).clone();
    const TaskRecord& task = model.tasks().back();
    if (task.scenario == Scenario::kTask) {
      for (const auto& [name, value] : model.head_parameters(task))
        theta_["head." + name] = value.to(at::kDouble).clone();
    }
    // In scenario class the new outputs come after those that were there.
    const int64_t others = theta_.at("head.bias").size(0) - static_cast<int64_t>(task.classes.size());
    labels_ = labels_ + others;
    for (const auto& [name, value] : theta_) {
      start_[name] = value.clone();
      for (auto* zeros : {&path_, &mean_, &square_}) (*zeros)[name] = at::zeros_like(value);
    }
    for (int64_t t = 1; t <= options.epochs; t++) step(t);
  }

  at::Tensor omega(const std::string& name) const {
    const auto way = theta_.at(name) - start_.at(name);
    return (path_.at(name) / (way * way + options_.xi)).clamp_min(0);
  }
  const NamedTensors& theta() const { return theta_; }

 private:
  void step(int64_t t) {
    std::vector<at::Tensor> leaves;
    for (auto& [name, value] : theta_) leaves.push_back(value = value.detach().requires_grad_(true));
    const auto hidden = at::relu(at::linear(images_, theta_["fc1.weight"], theta_["fc1.bias"]));
    const auto outputs = at::linear(hidden, theta_["head.weight"], theta_["head.bias"]);
    const auto gradients = torch::autograd::grad({at::cross_entropy_loss(outputs, labels_)}, leaves);
    at::NoGradGuard no_grad;
    size_t i = 0;
    for (auto& [name, value] : theta_) {
      const at::Tensor before = value.clone(), loss = gradients[i++];
      value = moved(name, before, loss, t);
      path_[name] -= loss * (value - before);
    }
  }

  at::Tensor moved(const std::string& name, const at::Tensor& theta, const at::Tensor& loss, int64_t t) {
    const auto& o = options_.optimizer;
    const bool proximal = options_.penalty_step == PenaltyStep::kProximal, penalised = omega_.count(name) > 0;
    auto g = loss + o.weight_decay * theta;
    if (penalised && !proximal) g = g + 2 * options_.lambda * omega_.at(name) * (theta - start_.at(name));
    at::Tensor end;
    if (o.kind == OptimizerOptions::Kind::kSgd) {
      mean_[name] = o.momentum * mean_[name] + g;
      end = theta - o.lr * mean_[name];
    } else {
      mean_[name] = o.beta1 * mean_[name] + (1 - o.beta1) * g;
      square_[name] = o.beta2 * square_[name] + (1 - o.beta2) * g * g;
      end = theta - o.lr * (mean_[name] / (1 - std::pow(o.beta1, t))) /
                        ((square_[name] / (1 - std::pow(o.beta2, t))).sqrt() + o.eps);
    }
    if (!penalised || !proximal) return end;
    const auto pull = 2 * options_.lambda * o.lr * omega_.at(name).to(at::kDouble);
    return (end + pull * start_.at(name)) / (1 + pull);
  }

  TrainOptions options_;
  at::Tensor images_, labels_;
  NamedTensors omega_, theta_, start_, path_, mean_, square_;
};

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

// Whether training takes the way, and leaves the importance, that are computed by hand.
void check_path(Model model, MemoryDataset& data, const TrainOptions& options) {
  const ByHand want(model, data, options);
  const auto before = omega_of(model.file.importance);
  train(model, data, options);
  const auto& record = model.file.importance;
  CHECK(record.method == "si");
  CHECK(record.estimator == "path:0.05");
  CHECK(record.combine == "sum");
  CHECK(record.count == 1);
  CHECK(record.tasks == static_cast<int64_t>(model.tasks().size()));
  const bool own_head = model.tasks().back().scenario == Scenario::kTask;
  CHECK(record.sum.size() == (own_head ? 2 : 4));
  CHECK(record.closed.size() == before.size());
  for (const auto& [name, sum] : record.sum) {
    CAPTURE(name);
    const auto expected = want.omega(name);
    const double largest = expected.max().item<double>();
    CHECK(largest > 1e-3);
    CHECK(distance(sum, expected) < 1e-4 * largest);
    CHECK(distance(model.file.weights.at(name), want.theta().at(name)) < 1e-5);
    if (before.count(name)) CHECK(distance(record.closed.at(name), before.at(name)) < 1e-6);
  }
}

}  // namespace

TEST_CASE("SI's importance is that of a path followed step by step in double") {
  auto data = MemoryDataset::clouds(kSamples, 4, 3, 2);
  using Kind = OptimizerOptions::Kind;
  for (const auto kind : {Kind::kSgd, Kind::kAdam}) {
    for (const auto step : {PenaltyStep::kGradient, PenaltyStep::kProximal}) {
      auto options = options_of(kind);
      options.penalty_step = step;
      for (const auto scenario : {Scenario::kTask, Scenario::kDomain, Scenario::kClass}) {
        for (const bool penalised : {false, true}) {
          CAPTURE(to_string(scenario));
          CAPTURE(penalised);
          check_path(learner(data, penalised, scenario), data, options);
        }
      }
    }
  }
}

TEST_CASE("a path that was interrupted goes on bit for bit, and ends where the kept weights are") {
  auto data = MemoryDataset::clouds(kSamples, 4, 3, 2);
  const auto path = (std::filesystem::temp_directory_path() / "mas_path_test.h5").string();
  for (const int patience : {0, 3}) {
    auto options = options_of(OptimizerOptions::Kind::kAdam);
    options.batch_size = 8;
    options.epochs = 40;
    options.validation = 0.3;
    options.patience = patience;
    auto whole = learner(data, true);
    std::vector<double> accuracies;
    TrainCallbacks callbacks;
    callbacks.epoch = [&](const EpochReport& r) { accuracies.push_back(*r.validation); };
    train(whole, data, options, "", callbacks);

    struct Interrupted {};
    callbacks.epoch = [](const EpochReport& r) {
      if (r.epoch == 3) throw Interrupted{};
    };
    auto part = learner(data, true);
    CHECK_THROWS_AS(train(part, data, options, path, callbacks), Interrupted);
    Model again(read_model(path), path);
    train(again, data, options);
    CHECK(serialize_model(again.file) == serialize_model(whole.file));

    if (patience == 0) continue;
    // As if training had ended with the best epoch.
    const auto best = std::max_element(accuracies.begin(), accuracies.end()) - accuracies.begin() + 1;
    REQUIRE(best < static_cast<int64_t>(accuracies.size()));
    auto shorter = options;
    shorter.epochs = best;
    auto until_best = learner(data, true);
    train(until_best, data, shorter);
    for (const auto& [name, sum] : whole.file.importance.sum) CHECK(sum.equal(until_best.file.importance.sum.at(name)));
  }
  std::remove(path.c_str());
}

TEST_CASE("a path isn't added to importance of another kind") {
  auto data = MemoryDataset::clouds(kSamples, 4, 3, 2);
  auto model = learner(data, true);
  CHECK_NOTHROW(check_path_importance(model, 0.05));
  CHECK_THROWS_WITH_AS(check_path_importance(model, 0.1), doctest::Contains("method si, estimator path:0.05,"), Error);
  model.file.importance.method = "mas";
  CHECK_THROWS_WITH_AS(check_path_importance(model, 0.05), doctest::Contains("hold importance of method mas"), Error);
  CHECK_THROWS_AS(set_path_importance(model, begin_path(model), 0.05), Error);
}

TEST_CASE("a checkpoint without the path that it should have is refused") {
  auto data = MemoryDataset::clouds(kSamples, 4, 3, 2);
  const auto path = (std::filesystem::temp_directory_path() / "mas_path_lost.h5").string();
  struct Interrupted {};
  TrainCallbacks callbacks;
  callbacks.epoch = [](const EpochReport& r) {
    if (r.epoch == 2) throw Interrupted{};
  };
  const auto options = options_of(OptimizerOptions::Kind::kAdam);
  auto part = learner(data, false);
  CHECK_THROWS_AS(train(part, data, options, path, callbacks), Interrupted);
  auto file = read_model(path);
  file.optimizer.erase("path/fc1.bias");
  Model edited(std::move(file), "edited.h5");
  CHECK_THROWS_WITH_AS(train(edited, data, options),
                       "edited.h5: /optimizer/path/fc1.bias is missing, expected float32 of 5", Error);
  std::remove(path.c_str());
}
