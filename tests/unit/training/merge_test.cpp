#include "mas/training/merge.h"

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/model/architecture.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

using namespace mas;
using mas::test::error_of;
using mas::test::Scratch;

namespace {

const auto kNormalised = nlohmann::json::parse(R"({"name": "normalised", "input": [3], "layers": [
    {"type": "linear", "name": "fc", "out": 4}, {"type": "batch_norm1d", "name": "norm"}]})");

// States of a chain after 1, 2, ... tasks, all their tensors random; with a Fisher information that is 0 here and
// there.
std::vector<Model> chain(Scenario scenario, size_t length) {
  std::vector<Model> models;
  for (size_t t = 0; t < length; t++) {
    models.emplace_back(kNormalised, 1);
    auto& model = models.back();
    for (size_t i = 0; i <= t; i++) {
      TaskRecord task;
      task.name = std::string(1, static_cast<char>('a' + i));
      task.data = "nowhere";
      const auto label = static_cast<int64_t>(2 * i);
      task.classes = {label, label + 1};
      task.scenario = scenario;
      model.add_task(task);
    }
    torch::manual_seed(10 + t);
    for (auto* tensors : {&model.file.weights, &model.file.buffers})
      for (auto& [name, value] : *tensors) value.copy_(torch::rand(value.sizes()) + 0.1);  // variances too
    auto& record = model.file.importance;
    for (const auto& [name, value] : model.file.weights)
      record.sum[name] = torch::rand(value.sizes(), at::kDouble) * (torch::rand(value.sizes()) > 0.4);
    record.count = static_cast<int64_t>(3 + t);
    record.tasks = static_cast<int64_t>(t + 1);
    record.method = "ewc";
    record.combine = "anchors";
    model.file.encoders["a"] = new_linear(2, model.network().feature_size(), 1);
    model.file.results = {{{"learned", 1}, {"accuracy", {{"a", 0.5}}}},
                          {{"learned", t + 1}, {"accuracy", {{"a", 0.4}}}}};
  }
  return models;
}

MergeOptions write_chain(const std::vector<Model>& models, const Scratch& folder) {
  MergeOptions options;
  for (const auto& model : models) {
    options.models.push_back(folder / (std::to_string(model.tasks().size()) + ".h5"));
    write_model(model.file, options.models.back());
  }
  return options;
}

// The formulas, element by element.
double by_hand(const std::vector<Model>& models, const std::vector<double>& alpha, bool mode, const std::string& name,
               int64_t i) {
  double value = 0, weight = 0, plain = 0, plain_weight = 0;
  for (size_t t = 0; t < models.size(); t++) {
    const auto theta = models[t].file.weights.at(name).flatten();
    if (i >= theta.numel()) continue;  // a head that is still short; its rows come in order
    const double f = models[t].file.importance.sum.at(name).flatten()[i].item<double>() /
                     static_cast<double>(models[t].file.importance.count);
    value += alpha[t] * f * theta[i].item<double>();
    weight += alpha[t] * f;
    plain += alpha[t] * theta[i].item<double>();
    plain_weight += alpha[t];
  }
  return mode && weight > 0 ? value / weight : plain / plain_weight;
}

// Of all samples: E[x²] − E[x]², where the t-th model saw a share alpha[t] of them.
double mixed_variance(const std::vector<Model>& models, const std::vector<double>& alpha, int64_t channel) {
  double total = 0, first = 0, second = 0;
  for (size_t t = 0; t < models.size(); t++) {
    const auto& buffers = models[t].file.buffers;
    const auto mean = buffers.at("norm.running_mean")[channel].item<double>();
    total += alpha[t];
    first += alpha[t] * mean;
    second += alpha[t] * (buffers.at("norm.running_var")[channel].item<double>() + mean * mean);
  }
  return second / total - (first / total) * (first / total);
}

}  // namespace

TEST_CASE("merging is the mean or the mode of the tasks' weights, element by element") {
  for (const auto scenario : {Scenario::kTask, Scenario::kDomain, Scenario::kClass}) {
    const Scratch folder;
    const auto models = chain(scenario, 3);
    auto options = write_chain(models, folder);
    for (const bool mode : {false, true}) {
      for (const std::vector<double>& alpha : {std::vector<double>{1, 1, 1}, {1, 2, 5}}) {
        options.rule = mode ? "mode" : "mean";
        options.weights = alpha[2] == 1 ? "" : "1,2,5";
        const Model merged = merge_models(options);
        const auto& last = models.back().file;
        REQUIRE(merged.file.weights.size() == last.weights.size());
        for (const auto& [name, value] : merged.file.weights) {
          REQUIRE(value.sizes() == last.weights.at(name).sizes());
          for (int64_t i = 0; i < value.numel(); i++) {
            CHECK(value.flatten()[i].item<double>() ==
                  doctest::Approx(by_hand(models, alpha, mode, name, i)).epsilon(1e-6));
          }
        }
        const auto& mean = merged.file.buffers.at("norm.running_mean");
        at::Tensor want = at::zeros({4});
        for (size_t t = 0; t < 3; t++)
          want += models[t].file.buffers.at("norm.running_mean") * (alpha[t] / (alpha[0] + alpha[1] + alpha[2]));
        CHECK((mean - want).abs().max().item<double>() < 1e-6);
        const auto& variance = merged.file.buffers.at("norm.running_var");
        for (int64_t i = 0; i < variance.numel(); i++)
          CHECK(variance[i].item<double>() == doctest::Approx(mixed_variance(models, alpha, i)).epsilon(1e-6));
        for (const auto& [task, head] : merged.file.heads)
          CHECK(head.at("weight").equal(last.heads.at(task).at("weight")));
        CHECK(merged.file.importance.empty());
        CHECK(merged.file.encoders.empty());
        CHECK(merged.file.results.empty());
        CHECK(merged.tasks().size() == 3);
        CHECK(merged.file.tasks.back()["options"]["merge"]["rule"] == options.rule);
        // What is written is what the network computes.
        const Model again(parse_model(serialize_model(merged.file), "x.h5"), "x.h5");
        const auto x = torch::randn({2, 3});
        CHECK(again.features(x).equal(merged.features(x)));
      }
    }
  }
}

TEST_CASE("weights of models are shares, however large they are") {
  const Scratch folder;
  auto options = write_chain(chain(Scenario::kTask, 2), folder);
  const auto shares = [&](const char* weights) {
    options.weights = weights;
    return merge_models(options).file.tasks.back()["options"]["merge"]["weights"].dump();
  };
  CHECK(shares("1,3") == "[0.25,0.75]");
  CHECK(shares("5e307,1.5e308") == "[0.25,0.75]");
  CHECK(shares("5e-324,5e-324") == "[0.5,0.5]");
  options.weights = "1e-308,1e308";
  CHECK(error_of([&] { merge_models(options); }) == "--merge-weights: 1e-308 is nothing beside 1e+308");
}

TEST_CASE("models that can't be merged are refused by name") {
  const Scratch folder;
  auto models = chain(Scenario::kTask, 2);
  const auto sound = write_chain(models, folder);
  const auto fault = [&](MergeOptions options) { return error_of([&] { merge_models(options); }); };
  CHECK(fault(sound).empty());
  auto options = sound;
  options.rule = "median";
  CHECK(fault(options) == "--merge: must be mean or mode, got median");
  for (const char* weights : {"1", "1,2,3", "1,0", "1,-2", "1,x", "1,"}) {
    options = sound;
    options.weights = weights;
    CHECK(fault(options) == std::string("--merge-weights: must be 2 positive numbers with commas between them, one for "
                                        "each model, got ") +
                                weights);
  }
  options = sound;
  options.models.pop_back();
  CHECK(fault(options) == "--merge: needs two models or more, those after each task");
  options = sound;
  std::swap(options.models[0], options.models[1]);
  CHECK(fault(options) == sound.models[0] + ": has learned no more tasks than " + sound.models[1] +
                              "; give the models in the order of learning");
  auto reseeded = chain(Scenario::kTask, 2);
  reseeded[0].file.tasks[0]["seed"] = 5;
  options = sound;
  options.models[0] = folder / "reseeded.h5";
  write_model(reseeded[0].file, options.models[0]);
  CHECK(fault(options) == sound.models[1] + ": its record of task a isn't that in " + options.models[0] +
                              " (they differ in seed); give the models that one chain of trainings left");
  options = sound;
  models[0].file.tasks[0]["name"] = "z";
  models[0].file.heads["z"] = models[0].file.heads["a"];
  models[0].file.encoders.clear();
  options.models[0] = folder / "z.h5";
  write_model(models[0].file, options.models[0]);
  CHECK(fault(options) ==
        sound.models[1] + ": learned a where " + options.models[0] + " learned z: not the same sequence of tasks");
  Model other(make_architecture("mlp:4", {3}), 1);
  TaskRecord task;
  task.name = "a";
  task.classes = {0, 1};
  other.add_task(task);
  options.models[0] = folder / "other.h5";
  write_model(other.file, options.models[0]);
  CHECK(fault(options) == sound.models[1] + ": its network isn't that of " + options.models[0]);
}

TEST_CASE("mode needs the Fisher information of each file's last task") {
  const Scratch folder;
  auto models = chain(Scenario::kTask, 2);
  for (const char* what : {"another method", "another task", "nothing"}) {
    auto& record = models[1].file.importance;
    record.method = what == std::string("another method") ? "mas" : "ewc";
    record.tasks = what == std::string("another task") ? 1 : 2;
    if (what == std::string("nothing")) record = {};
    auto options = write_chain(models, folder);
    CHECK(error_of([&] { merge_models(options); }).empty());
    options.rule = "mode";
    CHECK(error_of([&] { merge_models(options); }) ==
          options.models[1] +
              ": has no Fisher information of task b, which --merge mode needs; make it with "
              "mas-importance --method ewc");
  }
}

TEST_CASE("mode weighs Fisher information that was estimated alike") {
  const Scratch folder;
  for (const char* what : {"estimator", "outputs"}) {
    auto models = chain(Scenario::kTask, 2);
    for (auto& model : models) model.file.importance.estimator = "fisher-exact";
    auto& record = models[1].file.importance;
    (what == std::string("outputs") ? record.outputs : record.estimator) =
        what == std::string("outputs") ? "all" : "fisher-sampled";
    auto options = write_chain(models, folder);
    CHECK(error_of([&] { merge_models(options); }).empty());
    options.rule = "mode";
    CHECK(error_of([&] { merge_models(options); }) ==
          fmt::format("{}: its Fisher information ({}, outputs {}) was estimated otherwise than that of {} "
                      "(fisher-exact, outputs head); --merge mode needs all alike",
                      options.models[1], record.estimator, record.outputs, options.models[0]));
  }
}
