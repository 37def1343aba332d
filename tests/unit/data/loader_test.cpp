#include "mas/data/loader.h"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

namespace {

/// Sample n is the number n; row `bad` can't be read. Counts what was read.
class Numbers : public mas::Dataset {
 public:
  explicit Numbers(int64_t size, int64_t bad = -1) : size_(size), bad_(bad) {}
  int64_t size() const override { return size_; }
  std::vector<int64_t> sample_shape() const override { return {1}; }
  bool has_labels() const override { return true; }
  std::vector<int64_t> classes() const override { return {0}; }
  at::Tensor images(at::ArrayRef<int64_t> rows) override {
    for (int64_t row : rows)
      if (row == bad_) throw mas::Error("numbers", "row is bad");
    ++batches;
    return at::tensor(rows).to(at::kFloat).unsqueeze(1);
  }
  at::Tensor labels(at::ArrayRef<int64_t> rows) override { return at::tensor(rows) * 2; }

  std::atomic<int> batches{0};

 private:
  int64_t size_, bad_;
};

std::vector<int64_t> pass(Numbers& data, const mas::LoaderOptions& options) {
  mas::Loader loader(data, options);
  std::vector<int64_t> seen;
  for (mas::Batch batch; loader.next(batch);) {
    const auto values = batch.images.flatten().to(at::kLong);
    if (options.labels) CHECK(at::equal(batch.labels, values * 2));
    CHECK(at::equal(at::tensor(batch.rows), values));
    for (int64_t i = 0; i < values.size(0); ++i) seen.push_back(values[i].item<int64_t>());
  }
  mas::Batch batch;
  CHECK_FALSE(loader.next(batch));
  return seen;
}

}  // namespace

TEST_CASE("a pass covers each row once, in order or shuffled, with and without a thread") {
  Numbers data(103);
  const auto in_order = data_test::all_rows(data);
  for (bool prefetch : {false, true}) {
    mas::LoaderOptions options;
    options.batch_size = 10;
    options.prefetch = prefetch;
    CHECK(pass(data, options) == in_order);
    options.shuffle = true;
    options.seed = 5;
    auto seen = pass(data, options);
    CHECK(seen == pass(data, options));
    CHECK(seen != in_order);
    options.seed = 6;
    CHECK(seen != pass(data, options));
    std::sort(seen.begin(), seen.end());
    CHECK(seen == in_order);
  }
}

TEST_CASE("a pass over some rows gives those, and the last batch is short") {
  Numbers data(50);
  mas::LoaderOptions options;
  options.batch_size = 2;
  options.labels = false;
  mas::Loader loader(data, {40, 3, 7}, options);
  mas::Batch batch;
  REQUIRE(loader.next(batch));
  CHECK(at::equal(batch.images.flatten(), torch::tensor({40.f, 3.f})));
  CHECK_FALSE(batch.labels.defined());
  REQUIRE(loader.next(batch));
  CHECK(batch.images.size(0) == 1);
  CHECK_FALSE(loader.next(batch));
}

TEST_CASE("what reading throws arrives at the caller, after the batches before it") {
  for (bool prefetch : {false, true}) {
    Numbers data(30, 25);
    mas::LoaderOptions options;
    options.batch_size = 10;
    options.prefetch = prefetch;
    mas::Loader loader(data, options);
    mas::Batch batch;
    CHECK(loader.next(batch));
    CHECK(loader.next(batch));
    CHECK_THROWS_WITH_AS(loader.next(batch), "numbers: row is bad", mas::Error);
  }
}

TEST_CASE("one batch is read ahead and no more") {
  Numbers data(100);
  mas::LoaderOptions options;
  options.batch_size = 10;
  mas::Loader loader(data, options);
  mas::Batch batch;
  REQUIRE(loader.next(batch));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(data.batches == 2);
}

TEST_CASE("a loader that is left early ends its thread") {
  Numbers data(100);
  mas::LoaderOptions options;
  options.batch_size = 1;
  for (int taken = 0; taken < 3; ++taken) {
    mas::Loader loader(data, options);
    mas::Batch batch;
    for (int i = 0; i < taken; ++i) CHECK(loader.next(batch));
  }
}

TEST_CASE("an empty pass ends at once and a batch of nothing is refused") {
  Numbers data(5);
  mas::LoaderOptions options;
  mas::Loader loader(data, std::vector<int64_t>{}, options);
  mas::Batch batch;
  CHECK_FALSE(loader.next(batch));
  options.batch_size = 0;
  CHECK_THROWS_AS(mas::Loader(data, options), mas::Error);
}
