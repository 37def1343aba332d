#include "mas/training/distillation.h"

#include <cmath>

#include "mas/model/architecture.h"
#include "mas/training/encoder.h"
#include "mas/training/trainer.h"
#include "unit/io/scratch.h"
#include "unit/memory_dataset.h"
#include "unit/model/task.h"

using namespace mas;

namespace {

// −Σ_c p_c log q_c, p and q being the softmax of then / T and now / T; mean over samples.
double slow_loss(const at::Tensor& now, const at::Tensor& then, double temperature) {
  const auto a = now.to(at::kDouble), b = then.to(at::kDouble);
  double sum = 0;
  for (int64_t n = 0; n < a.size(0); n++) {
    double of_now = 0, of_then = 0;
    for (int64_t c = 0; c < a.size(1); c++) {
      of_now += std::exp(a[n][c].item<double>() / temperature);
      of_then += std::exp(b[n][c].item<double>() / temperature);
    }
    for (int64_t c = 0; c < a.size(1); c++) {
      const double p = std::exp(b[n][c].item<double>() / temperature) / of_then;
      sum -= p * std::log(std::exp(a[n][c].item<double>() / temperature) / of_now);
    }
  }
  return sum / static_cast<double>(a.size(0));
}

// Σ over the code of (now − then)², mean over samples.
double slow_code_loss(const at::Tensor& now, const at::Tensor& then) {
  double sum = 0;
  for (int64_t n = 0; n < now.size(0); n++)
    for (int64_t c = 0; c < now.size(1); c++) {
      const double distance = now[n][c].item<double>() - then[n][c].item<double>();
      sum += distance * distance;
    }
  return sum / static_cast<double>(now.size(0));
}

// Against finite differences of a loss in double, at `start`.
void check_gradient(const at::Tensor& now, const at::Tensor& start,
                    const std::function<double(const at::Tensor&)>& slow) {
  for (int64_t i : {0, 7, 19}) {
    const double h = 1e-4;
    const auto value = [&](double d) {
      auto moved = start.to(at::kDouble).clone();
      moved.view(-1)[i] += d;
      return slow(moved);
    };
    const double want = (value(h) - value(-h)) / (2 * h);
    CHECK(now.grad().view(-1)[i].item<double>() == doctest::Approx(want).epsilon(1e-3));
  }
}

TaskRecord task(const std::string& name, Scenario scenario, std::vector<int64_t> classes) {
  return test::task_record(name, name, std::move(classes), scenario, 7);
}

// Of two tasks learned and a third to learn; classes 0, 1 in each but for scenario class.
Model three_tasks(Scenario scenario) {
  Model model(make_architecture("mlp:6", {4}), 3);
  const bool grows = scenario == Scenario::kClass;
  model.add_task(task("a", scenario, {0, 1}));
  model.add_task(task("b", scenario, {grows ? 2 : 0, grows ? 3 : 1}));
  model.add_task(task("c", scenario, {grows ? 4 : 0, grows ? 1 : 1}));
  return model;
}

// The outputs that the term compares, written out.
std::vector<at::Tensor> answers(const Model& model, const at::Tensor& x) {
  const auto& tasks = model.tasks();
  switch (tasks[0].scenario) {
    case Scenario::kTask:
      return {model.forward(x, tasks[0]), model.forward(x, tasks[1])};
    case Scenario::kDomain:
      return {model.forward(x, tasks[0])};
    default:
      return {model.forward(x, tasks[2]).narrow(1, 0, 4)};  // classes 0 to 3; 4 is new
  }
}

}  // namespace

TEST_CASE("the distillation loss equals the double loop, and its gradient the finite differences") {
  torch::manual_seed(2);
  const auto then = torch::randn({5, 4}) * 3, start = torch::randn({5, 4}) * 3;
  for (const double temperature : {0.5, 1.0, 2.0}) {
    auto now = start.clone().set_requires_grad(true);
    const auto loss = distillation_loss(now, then, temperature);
    CHECK(loss.item<double>() == doctest::Approx(slow_loss(start, then, temperature)).epsilon(1e-5));
    loss.backward();
    check_gradient(now, start, [&](const at::Tensor& at) { return slow_loss(at, then, temperature); });
  }
}

TEST_CASE("the code loss equals the double loop, and its gradient the finite differences") {
  torch::manual_seed(2);
  const auto then = torch::rand({5, 4}), start = torch::rand({5, 4});
  auto now = start.clone().set_requires_grad(true);
  const auto loss = code_loss(now, then);
  CHECK(loss.item<double>() == doctest::Approx(slow_code_loss(start, then)).epsilon(1e-5));
  loss.backward();
  check_gradient(now, start, [&](const at::Tensor& at) { return slow_code_loss(at, then); });
}

TEST_CASE("the term compares the answers to earlier tasks with those when it was recorded") {
  auto data = MemoryDataset::clouds(40, 4, 2, 1);
  const std::vector<int64_t> rows{0, 2, 3, 5, 8, 13, 21, 34}, batch{21, 2, 34, 0};
  DistillOptions options;
  options.temperature = 3;
  options.weight = 0.25;
  options.code_weight = 0.5;
  for (const auto kind : {DistillOptions::Kind::kLwf, DistillOptions::Kind::kEbll})
    for (const auto scenario : {Scenario::kTask, Scenario::kDomain, Scenario::kClass}) {
      CAPTURE(to_string(scenario));
      auto model = three_tasks(scenario);
      for (const char* name : {"a", "b"}) model.file.encoders[name] = new_linear(3, 6, name[0]);
      const auto x = data.images(batch);
      const auto then = answers(model, x);
      const auto features_then = model.features(x);
      options.kind = kind;
      Distillation distillation(model, options);
      const test::Scratch folder;
      distillation.record(data, rows, 3, folder / "");
      Distillation kept(model, options);
      kept.keep();
      for (const auto& [name, value] : model.shared_parameters()) value.mul_(1.5);
      for (const auto& each : model.tasks()) {
        if (scenario == Scenario::kTask) model.head_parameters(each).at("bias").add_(0.3 * torch::randn({2}));
      }
      const auto now = answers(model, x);
      double want = 0;
      for (size_t i = 0; i < now.size(); i++) want += 0.25 * slow_loss(now[i], then[i], 3);
      for (const auto& [name, encoder] : model.file.encoders) {
        if (kind == DistillOptions::Kind::kLwf) break;
        want += 0.5 * slow_code_loss(encode(encoder, model.features(x)), encode(encoder, features_then));
      }
      const auto term = [&](const Distillation& of, const at::Tensor& images, const std::vector<int64_t>& of_rows) {
        return of.loss(model.features(images), {images, {}, of_rows}).item<double>();
      };
      CHECK(term(distillation, x, batch) == doctest::Approx(want).epsilon(1e-5));
      CHECK(term(kept, x, {}) == doctest::Approx(want).epsilon(1e-5));
      CHECK(want > 0.25 * slow_loss(then[0], then[0], 3));
    }
}

TEST_CASE("what distillation lacks is said") {
  Model model(make_architecture("mlp:6", {4}), 3);
  model.add_task(task("a", Scenario::kTask, {0, 1}));
  DistillOptions options;
  options.kind = DistillOptions::Kind::kLwf;
  CHECK(test::contains(test::error_of([&] { Distillation(model, options); }), "mlp:6: has learned no task"));
  model.add_task(task("b", Scenario::kTask, {0, 1}));
  CHECK(test::error_of([&] { Distillation(model, options); }).empty());
  options.kind = DistillOptions::Kind::kEbll;
  CHECK(test::contains(test::error_of([&] { Distillation(model, options); }), "mlp:6: task a has no encoder"));
  model.file.encoders["a"] = new_linear(3, 6, 1);
  CHECK(test::error_of([&] { Distillation(model, options); }).empty());
}

TEST_CASE("the options come back from a task's record, and older records have none") {
  TrainOptions options;
  CHECK_FALSE(to_json(options).contains("distill"));
  CHECK_FALSE(parse_train_options(to_json(options), "x.h5").distill.active());
  options.distill.kind = DistillOptions::Kind::kLwf;
  options.distill.temperature = 3;
  options.distill.weight = 0.5;
  auto object = to_json(options);
  const auto again = parse_train_options(object, "x.h5").distill;
  CHECK(again.active());
  CHECK(again.temperature == 3);
  CHECK(again.weight == 0.5);
  object["distill"] = "magic";
  CHECK(test::error_of([&] { parse_train_options(object, "x.h5"); }) ==
        "x.h5: /tasks: --distill: must be lwf or ebll, got magic");
  options.distill.kind = DistillOptions::Kind::kEbll;
  options.distill.code_weight = 0.1;
  options.code = 30;
  const auto with_codes = parse_train_options(to_json(options), "x.h5");
  CHECK(with_codes.distill.kind == DistillOptions::Kind::kEbll);
  CHECK(with_codes.distill.code_weight == 0.1);
  CHECK(with_codes.code == 30);
}
