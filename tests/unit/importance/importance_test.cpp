#include "mas/importance/importance.h"

#include "mas/error.h"
#include "unit/doctest_torch.h"

using namespace mas;

namespace {

NamedTensors doubles(std::vector<double> values) { return {{"w", torch::tensor(values, at::kDouble)}}; }

ImportanceRecord fed(double value, int64_t count, int64_t tasks = 1, const char* combine = "sum") {
  ImportanceRecord record;
  begin_feed(record, {tasks, "mas", "per-sample", "head"}, combine, "a.h5");
  feed(record, doubles({value, 2 * value}), count);
  return record;
}

double total(const ImportanceRecord& record) { return total_importance(record).at("w")[0].item<double>(); }

}  // namespace

TEST_CASE("feeding goes on where it stopped, and the mean is over all samples") {
  auto record = fed(3, 2);
  begin_feed(record, {1, "mas", "per-sample", "head"}, "", "a.h5");
  feed(record, doubles({5, 0}), 6);
  CHECK(record.count == 8);
  CHECK(total(record) == 1.0);
  CHECK(record.closed.empty());
}

TEST_CASE("the first feed after a new task closes the one before, by sum, average, decay or normalised") {
  const auto second = [](const char* combine) {
    auto record = fed(4, 2, 1, combine);  // omega 2, 4
    begin_feed(record, {2, "mas", "per-sample", "head"}, "", "a.h5");
    feed(record, doubles({10, 20}), 1);
    return record;
  };
  CHECK(total(second("sum")) == 12);
  CHECK(second("sum").closed_tasks == 1);
  CHECK(total(second("ema:0.25")) == doctest::Approx(0.25 * 2 + 0.75 * 10));
  CHECK(total(second("decay:0.25")) == doctest::Approx(0.25 * 2 + 10));
  // Each task's omega divided by its mean (3 and 15) before adding.
  CHECK(total(second("normalised")) == doctest::Approx(2.0 / 3 + 10.0 / 15));
}

TEST_CASE("a finished task is closed by the rule that its training had, not by the next one's") {
  auto record = fed(4, 2);  // omega 2, 4
  begin_feed(record, {2, "mas", "per-sample", "head"}, "normalised", "a.h5");
  feed(record, doubles({10, 20}), 1);
  CHECK(total(record) == doctest::Approx(2 + 10.0 / 15));
  begin_feed(record, {3, "mas", "per-sample", "head"}, "decay:0.5", "a.h5");
  CHECK(total(record) == doctest::Approx(2 + 10.0 / 15));
  feed(record, doubles({1, 1}), 1);
  CHECK(total(record) == doctest::Approx((2 + 10.0 / 15) / 2 + 1));
}

TEST_CASE("anchors fold into the one quadratic that has the gradient of a penalty for each task") {
  torch::manual_seed(4);
  constexpr int kTasks = 4;
  ImportanceRecord record;
  std::vector<at::Tensor> fisher, theta;
  for (int t = 0; t < kTasks; t++) {
    theta.push_back(torch::randn({50}));
    fisher.push_back(torch::rand({50}, at::kDouble));
    fisher[t][t] = 0;   // important to all tasks but one
    fisher[t][10] = 0;  // to none
    begin_feed(record, {t + 1, "ewc", "fisher-exact", "head"}, "", "a.h5");
    feed(record, {{"w", fisher[t] * 8}}, 8);
    fold_anchors(record, {{"w", theta[t]}});
    CHECK(record.sum.empty());
    CHECK(record.closed_tasks == t + 1);
  }
  CHECK(record.combine == "anchors");
  const auto omega = total_importance(record).at("w").to(at::kDouble), anchor = record.anchor.at("w").to(at::kDouble);
  CHECK(record.anchor.at("w")[10].item<float>() == theta[kTasks - 1][10].item<float>());
  double constant = 0;
  for (int trial = 0; trial < 3; trial++) {
    const auto w = torch::randn({50}, at::kDouble);
    double folded = 0, each = 0;
    for (int64_t i = 0; i < 50; i++) {
      const double at = w[i].item<double>(), o = omega[i].item<double>(), a = anchor[i].item<double>();
      double slope = 0;
      for (int t = 0; t < kTasks; t++) {
        const double f = fisher[t][i].item<double>(), distance = at - theta[t][i].item<double>();
        each += f * distance * distance;
        slope += 2 * f * distance;
      }
      folded += o * (at - a) * (at - a);
      CHECK(2 * o * (at - a) == doctest::Approx(slope).epsilon(1e-5));
    }
    if (trial == 0) constant = each - folded;
    CHECK(each - folded == doctest::Approx(constant).epsilon(1e-5));
  }
}

TEST_CASE("tasks whose weights are gone get no anchors") {
  auto record = fed(1, 1);
  const std::string gone =
      "a.h5: the weights that its earlier importance belongs to are gone, and --combine anchors "
      "needs them; give it from the first task on, before the next is trained";
  CHECK_THROWS_WITH_AS(begin_feed(record, {2, "mas", "per-sample", "head"}, "anchors", "a.h5"), gone.c_str(), Error);
  record = fed(1, 1);
  begin_feed(record, {2, "mas", "per-sample", "head"}, "sum", "a.h5");  // closes the first
  feed(record, doubles({1, 1}), 1);
  CHECK_THROWS_WITH_AS(begin_feed(record, {2, "mas", "per-sample", "head"}, "anchors", "a.h5"), gone.c_str(), Error);
  // In time it is no matter that the task was fed under another rule, and back there is one anchor again.
  record = fed(1, 1);
  begin_feed(record, {1, "mas", "per-sample", "head"}, "anchors", "a.h5");
  fold_anchors(record, {{"w", torch::ones({2})}});
  CHECK(record.anchor.at("w").equal(torch::ones({2})));
  begin_feed(record, {2, "mas", "per-sample", "head"}, "sum", "a.h5");
  CHECK(record.anchor.empty());
  CHECK(total(record) == 1);
}

TEST_CASE("other rules leave the running task open when a training starts") {
  auto record = fed(1, 1);
  fold_anchors(record, {{"w", torch::ones({2})}});
  CHECK(record.count == 1);
  CHECK(record.anchor.empty());
}

TEST_CASE("samples of another method aren't mixed in") {
  auto record = fed(1, 1);
  CHECK_THROWS_AS(begin_feed(record, {1, "local", "per-sample", "head"}, "", "a.h5"), Error);
  CHECK_THROWS_AS(begin_feed(record, {1, "mas", "per-sample", "all"}, "", "a.h5"), Error);
  record.sum.clear();  // forgotten, with its method's rule
  CHECK_NOTHROW(begin_feed(record, {1, "ewc", "fisher-exact", "head"}, "", "a.h5"));
  CHECK(record.combine == "anchors");
}

TEST_CASE("finished tasks' importance gets none of another kind added") {
  const auto closed = [](const FeedKind& kind) {
    ImportanceRecord record;
    begin_feed(record, kind, "", "a.h5");
    feed(record, doubles({1, 2}), 1);
    fold_anchors(record, {{"w", torch::ones({2})}});
    return record;
  };
  const FeedKind mas{1, "mas", "per-sample", "head"}, ewc{1, "ewc", "fisher-exact", "head"};
  for (const auto& [before, after] : {std::pair<FeedKind, FeedKind>{mas, {2, "ewc", "fisher-exact", "head"}},
                                      {ewc, {2, "mas", "per-sample", "head"}},
                                      {ewc, {2, "ewc", "fisher-sampled", "head"}},
                                      {mas, {2, "mas", "batch:2", "head"}},
                                      {mas, {2, "mas", "per-sample", "all"}},
                                      {{1, "si", "path:0.1", "head"}, {2, "si", "path:0.2", "head"}}}) {
    CAPTURE(before.estimator);
    CAPTURE(after.estimator);
    auto record = closed(before);
    const std::string want = "a.h5: its finished tasks hold importance of method " + before.method + ", estimator " +
                             before.estimator +
                             ", outputs head, and no other adds to it; go on with the same, or drop it with "
                             "mas-importance --forget";
    CHECK_THROWS_WITH_AS(check_feed(record, after, "", "a.h5"), want.c_str(), Error);
    CHECK_THROWS_WITH_AS(begin_feed(record, after, "", "a.h5"), want.c_str(), Error);
    CHECK(record.method == before.method);
    record.sum.clear();  // as mas-importance --reset does
    if (!record.empty()) CHECK_THROWS_AS(begin_feed(record, after, "", "a.h5"), Error);
  }
}

TEST_CASE("a constant takes the place of finished tasks' importance, and what is fed next its place") {
  auto record = fed(4, 2, 1, "ema:0.5");
  const FeedKind constant{2, "l2", "constant", "head"};
  begin_feed(record, constant, "sum", "a.h5");
  CHECK(record.empty());
  CHECK(record.closed_tasks == 0);
  feed(record, doubles({1, 1}), 1);
  CHECK_THROWS_AS(begin_feed(record, {2, "mas", "per-sample", "head"}, "", "a.h5"), Error);  // of the running task
  begin_feed(record, {3, "ewc", "fisher-exact", "head"}, "", "a.h5");
  CHECK(record.empty());
  CHECK(record.closed_tasks == 0);
  CHECK(record.combine == "anchors");
}

TEST_CASE("merging shards is addition, and what isn't a shard is refused") {
  auto record = fed(1, 2);
  merge(record, fed(5, 1), "", "b.h5");
  CHECK(record.count == 3);
  CHECK(total(record) == 2);
  auto other = fed(1, 1);
  other.method = "local";
  CHECK_THROWS_WITH_AS(merge(record, other, "", "b.h5"), "b.h5: method local, but the others have mas", Error);
  CHECK_THROWS_AS(merge(record, fed(1, 1, 2), "", "b.h5"), Error);
  other.tasks = 2;
  CHECK_THROWS_WITH_AS(merge(record, other, "", "b.h5"), "b.h5: method local, but the others have mas", Error);
  CHECK_THROWS_AS(merge(record, ImportanceRecord{}, "", "b.h5"), Error);
  other = fed(1, 1);
  other.sum["w"] = torch::zeros({3}, at::kDouble);
  CHECK_THROWS_WITH_AS(merge(record, other, "", "b.h5"), "b.h5: importance of w: shape 3, but the others have 2",
                       Error);
  other = fed(1, 1);
  other.sum["v"] = other.sum["w"];
  CHECK_THROWS_WITH_AS(merge(record, other, "", "b.h5"), "b.h5: importance of v, which the others don't have", Error);
  CHECK_THROWS_WITH_AS(merge(other, fed(1, 1), "", "b.h5"), "b.h5: no importance of v, which the others have", Error);
  CHECK(record.count == 3);
}

TEST_CASE("a record keeps its combine rule until another is asked for") {
  ImportanceRecord record;
  begin_feed(record, {1, "mas", "per-sample", "head"}, "ema:0.5", "a.h5");
  feed(record, doubles({1, 1}), 1);
  begin_feed(record, {2, "mas", "per-sample", "head"}, "", "a.h5");
  CHECK(record.combine == "ema:0.5");
  begin_feed(record, {3, "mas", "per-sample", "head"}, "sum", "a.h5");
  CHECK(record.combine == "sum");
}

TEST_CASE("importance that can't be combined for each parameter is refused") {
  auto record = fed(1, 1);
  const NamedTensors w{{"w", torch::zeros({2})}};
  CHECK_NOTHROW(check_combinable(record, w, "a.h5"));
  CHECK_NOTHROW(check_combinable({}, w, "a.h5"));
  CHECK_THROWS_WITH_AS(check_combinable(record, {{"w", torch::zeros({2})}, {"x", torch::zeros({2})}}, "a.h5"),
                       "a.h5: /importance/sum/x is missing", Error);
  auto folded = fed(1, 1);
  folded.combine = "anchors";
  fold_anchors(folded, w);
  CHECK_NOTHROW(check_combinable(folded, w, "a.h5"));
  folded.anchor.clear();
  CHECK_THROWS_WITH_AS(check_combinable(folded, w, "a.h5"), "a.h5: /importance/anchor/w is missing", Error);
  auto strange = record;
  strange.method = "foo";
  CHECK_THROWS_WITH_AS(check_combinable(strange, w, "a.h5"), "a.h5: /importance has the unknown method \"foo\"", Error);
  strange = record;
  strange.anchor = w;
  CHECK_THROWS_WITH_AS(check_combinable(strange, w, "a.h5"),
                       "a.h5: /importance/anchor is there, but the combine rule is \"sum\", which has none", Error);
  record.sum["w"][1] = 1e300;
  CHECK_THROWS_WITH_AS(check_combinable(record, w, "a.h5"),
                       "a.h5: /importance/sum/w: 1e+300 a sample, which float32 can't hold", Error);
  record.combine = "product";
  CHECK_THROWS_WITH_AS(check_combinable(record, w, "a.h5"),
                       "a.h5: /importance has the unknown combine rule \"product\"", Error);
}

TEST_CASE("combine rules are parsed strictly") {
  CHECK(parse_combine("ema:0.5").gamma == 0.5);
  CHECK((parse_combine("decay:0").kind == Combine::Kind::kDecay));
  for (const char* text : {"", "mean", "ema", "ema:", "ema:1", "ema:-0.1", "ema:nan", "ema:0.5x", "ema: 0.5",
                           "ema:0x0.8p0", "decay", "decay:1", "sum:1", "ema:0.1:0.2"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_combine(text), UsageError);
  }
}
