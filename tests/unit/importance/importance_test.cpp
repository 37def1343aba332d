#include "mas/importance/importance.h"

#include "mas/error.h"
#include "unit/doctest_torch.h"

using namespace mas;

namespace {

NamedTensors doubles(std::vector<double> values) { return {{"w", torch::tensor(values, at::kDouble)}}; }

ImportanceRecord fed(double value, int64_t count, int64_t tasks = 1) {
  ImportanceRecord record;
  begin_feed(record, {tasks, "mas", "per-sample", "head"}, "sum", "a.h5");
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

TEST_CASE("the first feed after a new task closes the one before, by sum, average or normalised") {
  const auto second = [](const char* combine) {
    auto record = fed(4, 2);  // omega 2, 4
    begin_feed(record, {2, "mas", "per-sample", "head"}, combine, "a.h5");
    feed(record, doubles({10, 20}), 1);
    return record;
  };
  CHECK(total(second("sum")) == 12);
  CHECK(second("sum").closed_tasks == 1);
  CHECK(total(second("ema:0.25")) == doctest::Approx(0.25 * 2 + 0.75 * 10));
  // Each task's omega divided by its mean (3 and 15) before adding.
  CHECK(total(second("normalised")) == doctest::Approx(2.0 / 3 + 10.0 / 15));
}

TEST_CASE("samples of another method aren't mixed in") {
  auto record = fed(1, 1);
  CHECK_THROWS_AS(begin_feed(record, {1, "local", "per-sample", "head"}, "", "a.h5"), Error);
  CHECK_THROWS_AS(begin_feed(record, {1, "mas", "per-sample", "all"}, "", "a.h5"), Error);
  CHECK_NOTHROW(begin_feed(record, {2, "local", "per-sample", "head"}, "", "a.h5"));
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
  record.sum["w"][1] = 1e300;
  CHECK_THROWS_WITH_AS(check_combinable(record, w, "a.h5"),
                       "a.h5: /importance/sum/w: 1e+300 a sample, which float32 can't hold", Error);
  record.combine = "product";
  CHECK_THROWS_WITH_AS(check_combinable(record, w, "a.h5"),
                       "a.h5: /importance has the unknown combine rule \"product\"", Error);
}

TEST_CASE("combine rules are parsed strictly") {
  CHECK(parse_combine("ema:0.5").gamma == 0.5);
  for (const char* text :
       {"", "mean", "ema", "ema:", "ema:1", "ema:-0.1", "ema:nan", "ema:0.5x", "ema: 0.5", "ema:0x0.8p0"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_combine(text), UsageError);
  }
}
