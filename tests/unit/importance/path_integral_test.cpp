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

// A model that is to learn its task "b", after "a" where there is an importance to be penalised with.
Model learner(MemoryDataset& data, bool penalised) {
  Model model(make_architecture("mlp:5", data.sample_shape()), 3);
  for (const char* name : {"a", "b"}) {
    TaskRecord task;
    task.name = name;
    task.data = "clouds";
    task.classes = data.classes();
    model.add_task(task);
    if (!penalised) break;
  }
  auto& record = model.file.importance;
  torch::manual_seed(8);
  for (const auto& [name, value] : model.shared_parameters())
    if (penalised) record.sum[name] = torch::rand(value.sizes(), at::kDouble);
  if (penalised) record.count = record.tasks = 1;
  record.method = penalised ? "si" : "";
  record.estimator = "path:0.1";
  record.combine = penalised ? "sum" : "";
  return model;
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
    omega_ = total_importance(model.file.importance);
    for (const auto& [name, value] : model.shared_parameters()) theta_[name] = value.to(at::kDouble).clone();
    for (const auto& [name, value] : model.head_parameters(model.tasks().back()))
      theta_["own." + name] = value.to(at::kDouble).clone();
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
    const auto outputs = at::linear(hidden, theta_["own.weight"], theta_["own.bias"]);
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

}  // namespace

TEST_CASE("SI's importance is that of a path followed step by step in double") {
  auto data = MemoryDataset::clouds(kSamples, 4, 3, 2);
  using Kind = OptimizerOptions::Kind;
  for (const auto kind : {Kind::kSgd, Kind::kAdam}) {
    for (const auto step : {PenaltyStep::kGradient, PenaltyStep::kProximal}) {
      for (const bool penalised : {false, true}) {
        CAPTURE(penalised);
        auto options = options_of(kind);
        options.penalty_step = step;
        auto model = learner(data, penalised);
        const ByHand want(model, data, options);
        const auto before = total_importance(model.file.importance);
        train(model, data, options);
        const auto& record = model.file.importance;
        CHECK(record.method == "si");
        CHECK(record.estimator == "path:0.05");
        CHECK(record.combine == "sum");
        CHECK(record.count == 1);
        CHECK(record.tasks == static_cast<int64_t>(model.tasks().size()));
        CHECK(record.sum.size() == 2);  // the head is the task's own
        for (const auto& [name, sum] : record.sum) {
          const auto expected = want.omega(name);
          CHECK(expected.max().item<double>() > 1e-3);
          CHECK((sum - expected).abs().max().item<double>() < 1e-4 * expected.max().item<double>());
          CHECK((model.file.weights.at(name) - want.theta().at(name)).abs().max().item<double>() < 1e-5);
          if (penalised) CHECK(record.closed.at(name).equal(before.at(name)));
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
                       "edited.h5: the checkpoint lacks fc1.bias or holds it in another shape", Error);
  std::remove(path.c_str());
}
