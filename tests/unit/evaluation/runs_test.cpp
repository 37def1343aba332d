#include "mas/evaluation/runs.h"

#include <fmt/format.h>

#include <functional>

#include "mas/error.h"
#include "mas/model/architecture.h"
#include "unit/doctest_torch.h"

using namespace mas;

namespace {

Model run(uint64_t seed, double lambda, const std::string& data = "glyphs") {
  Model model(make_architecture("mlp:4", {1, 8, 8}), seed);
  for (const char* name : {"a", "b"}) {
    TaskRecord task;
    task.name = name;
    task.data = data;
    task.classes = {0, 1};
    task.seed = seed;
    task.options = {{"lambda", lambda}};
    model.add_task(task);
  }
  return model;
}

AccuracyMatrix matrix(double first, double last) {
  AccuracyMatrix m;
  m.tasks = {"a", "b"};
  m.models = {"after a", "after b"};
  m.learned = {1, 2};
  m.accuracy = {{first, {}}, {last, 0.9}};
  return m;
}

}  // namespace

TEST_CASE("mean, deviation and interval of a few numbers") {
  const Statistic s = statistic({2, 4, {}, 4, 4, 5, 5, 7, 9}).value();
  CHECK(s.n == 8);
  CHECK(s.mean == 5);
  CHECK(*s.deviation == doctest::Approx(2.13809).epsilon(1e-5));
  CHECK(*s.low == doctest::Approx(5 - 2.36462 * 2.13809 / std::sqrt(8.0)).epsilon(1e-4));
  CHECK(*s.high - 5 == doctest::Approx(5 - *s.low));
  CHECK(statistic({3})->mean == 3);
  CHECK(!statistic({3})->deviation);
  CHECK(!statistic({}));
  CHECK(!statistic({{}, {}}));
}

TEST_CASE("Student's t goes on smoothly where its table ends") {
  const auto half = [](int64_t n) {  // of n values, half of them 0 and half 1, without the factor s / sqrt(n)
    std::vector<std::optional<double>> values(n, 0);
    for (int64_t i = 0; i < n; i += 2) values[i] = 1;
    const Statistic s = statistic(values).value();
    return (*s.high - s.mean) * std::sqrt(double(n)) / *s.deviation;
  };
  CHECK(half(31) == doctest::Approx(2.0423).epsilon(1e-5));
  CHECK(half(32) == doctest::Approx(2.0395).epsilon(1e-4));
  CHECK(half(61) == doctest::Approx(2.0003).epsilon(1e-4));
  CHECK(half(1001) == doctest::Approx(1.9623).epsilon(1e-4));
}

TEST_CASE("runs that differ in their seeds alone are a group") {
  Runs runs;
  runs.add(run(1, 0.5, "glyphs,cache=a.h5,permute=1"), matrix(0.8, 0.6));
  runs.add(run(1, 1.5, "glyphs,permute=1"), matrix(0.8, 0.7));
  runs.add(run(2, 0.5, "glyphs,permute=2"), matrix(0.9, 0.8));
  REQUIRE(runs.groups().size() == 2);
  const auto& group = runs.groups()[0];
  CHECK(group.seeds == std::vector<uint64_t>{1, 2});
  CHECK(*group.measures.at("acc")[1] == doctest::Approx(0.85));
  const auto object = to_json(runs)["groups"];
  CHECK(object[0]["acc"]["mean"].get<double>() == doctest::Approx(0.8));
  CHECK(object[0]["mean_drop"]["values"].size() == 2);
  CHECK(object[0]["acc"]["n"] == 2);
  CHECK(object[0]["accuracy"][0]["mean"].get<double>() == doctest::Approx(0.7));  // of task a at the end: 0.6 and 0.8
  CHECK(object[0]["accuracy"][1]["values"] == nlohmann::json({0.9, 0.9}));
  CHECK(object[0]["drop"][0]["mean"].get<double>() == doctest::Approx(0.15));
  CHECK(object[0]["drop"][1]["mean"].get<double>() == doctest::Approx(0));
  CHECK(object[1]["acc"]["deviation"].is_null());
  CHECK(object[0]["fwt"].is_null());
  CHECK(to_csv(runs).find("\n2,mlp:4,1,0.800000,") != std::string::npos);
}

TEST_CASE("facts that a seed has drawn are those of a group, other classes are not") {
  for (const Scenario scenario : {Scenario::kFacts, Scenario::kClass}) {
    Runs runs;
    for (const int64_t first : {0, 1}) {
      Model model(with_own_outputs(make_architecture("mlp:4", {1, 8, 8}), 6), 1);
      TaskRecord task;
      task.name = "a";
      task.data = "facts,batch=B1,seed=" + std::to_string(first);
      task.classes = {first, 5};
      if (scenario == Scenario::kFacts) task.words = {{"man", std::to_string(first)}};
      task.scenario = scenario;
      model.add_task(task);
      AccuracyMatrix m;
      m.tasks = {"a"};
      m.models = {"m"};
      m.learned = {1};
      m.accuracy = {{0.5}};
      runs.add(model, m);
    }
    CHECK(runs.groups().size() == (scenario == Scenario::kFacts ? 1 : 2));
  }
}

TEST_CASE("groups are compared run by run, seed with the same seed") {
  Runs runs;
  runs.add(run(1, 0.5), matrix(0.8, 0.6));
  runs.add(run(2, 0.5), matrix(0.8, 0.5));
  runs.add(run(3, 0.5), matrix(0.8, 0.2));
  runs.add(run(2, 1.5), matrix(0.8, 0.7));
  runs.add(run(4, 1.5), matrix(0.8, 0.9));
  runs.add(run(1, 1.5), matrix(0.8, 0.9));
  const auto acc = difference(runs.groups()[1], runs.groups()[0], "acc");
  REQUIRE(acc.size() == 3);
  CHECK(*acc[0] == doctest::Approx(0.1));
  CHECK(!acc[1]);
  CHECK(*acc[2] == doctest::Approx(0.15));
  CHECK(!difference(runs.groups()[1], runs.groups()[0], "fwt")[0]);
  const auto object = to_json(runs)["groups"];
  CHECK(!object[0].contains("difference"));
  CHECK(object[1]["difference"]["acc"]["mean"].get<double>() == doctest::Approx(0.125));
  CHECK(object[1]["difference"]["acc"]["n"] == 2);
  CHECK(object[1]["difference"]["acc"]["values"].size() == 3);
  CHECK(object[1]["difference"]["acc"]["values"][1].is_null());
  CHECK(object[1]["difference"]["forgetting"]["mean"].get<double>() == doctest::Approx(-0.25));
  RunGroup precision = runs.groups()[1];
  precision.measure = "mAP";
  for (const auto& value : difference(precision, runs.groups()[0], "acc")) CHECK(!value);
}

TEST_CASE("runs with other importance, or another network to begin with, are another group") {
  std::vector<std::function<void(Model&)>> changes{[](Model&) {},
                                                   [](Model& m) { m.file.importance.method = "ewc"; },
                                                   [](Model& m) { m.file.importance.estimator = "batch:8"; },
                                                   [](Model& m) { m.file.importance.outputs = "all"; },
                                                   [](Model& m) { m.file.importance.combine = "ema:0.5"; },
                                                   [](Model& m) { m.file.importance.count = 1; },
                                                   [](Model& m) { m.file.importance.closed_tasks = 0; },
                                                   [](Model& m) { m.file.script = "another module"; },
                                                   [](Model& m) { m.file.arch["name"] = "another"; }};
  Runs runs;
  for (const uint64_t seed : {1, 2}) {
    for (const auto& change : changes) {
      Model model = run(seed, 0.5, fmt::format("glyphs,seed={},samples=40", seed + 7));
      auto& importance = model.file.importance;
      importance.method = "mas";
      importance.estimator = "per-sample";
      importance.combine = "sum";
      importance.count = 40;
      importance.closed_tasks = 1;
      change(model);
      runs.add(model, matrix(0.8, 0.6));
    }
  }
  REQUIRE(runs.groups().size() == changes.size());
  for (const auto& group : runs.groups()) CHECK(group.seeds == std::vector<uint64_t>{1, 2});
}

TEST_CASE("a measure that some runs lack keeps its values in their places") {
  Runs runs;
  auto first = matrix(0.8, 0.6), second = first;
  first.accuracy[0][0].reset();
  runs.add(run(1, 0.5), first);
  runs.add(run(2, 0.5), second);
  const auto bwt = to_json(runs)["groups"][0]["bwt"];
  CHECK(bwt["n"] == 1);
  REQUIRE(bwt["values"].size() == 2);
  CHECK(bwt["values"][0].is_null());
  CHECK(bwt["values"][1].get<double>() == doctest::Approx(-0.2));
}

TEST_CASE("a copy of a run, or a checkpoint, is no other run") {
  Runs runs;
  runs.add(run(1, 0.5, "glyphs,permute=1"), matrix(0.8, 0.6));
  CHECK_THROWS_WITH_AS(runs.add(run(1, 0.5, "glyphs,permute=1"), matrix(0.8, 0.7)),
                       "mlp:4: has the same seeds as mlp:4, so it is no other run; give it once", Error);
  runs.add(run(1, 0.5, "glyphs,permute=2"), matrix(0.8, 0.6));
  runs.add(run(1, 1.5, "glyphs,permute=2"), matrix(0.8, 0.7));
  REQUIRE(runs.groups().size() == 2);
  CHECK(runs.groups()[0].models.size() == 2);
  CHECK(*difference(runs.groups()[1], runs.groups()[0], "acc")[0] == doctest::Approx(0.05));
  auto unfinished = run(2, 0.5);
  unfinished.file.progress = {{"epoch", 1}};
  CHECK_THROWS_WITH_AS(runs.add(unfinished, matrix(0.8, 0.6)), doctest::Contains("is a checkpoint"), Error);
}

TEST_CASE("a run whose measures can't be told is refused") {
  Runs runs;
  auto unknown = matrix(0.8, 0.6);
  unknown.accuracy[1][0].reset();
  CHECK_THROWS_WITH_AS(runs.add(run(1, 1), unknown), doctest::Contains("last model of each run"), Error);
}
