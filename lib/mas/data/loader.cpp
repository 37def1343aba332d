#include "mas/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "mas/error.h"
#include "mas/random.h"

namespace mas {

struct Loader::State {
  State(Dataset& data, std::vector<int64_t> rows, const LoaderOptions& options)
      : data(data), rows(std::move(rows)), options(options) {
    if (options.batch_size < 1) throw Error("batch size", "must be at least 1");
    if (options.shuffle) shuffle(this->rows, options.seed);
    if (options.prefetch && !this->rows.empty()) worker = std::thread([this] { work(); });
  }

  ~State() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      stop = true;
    }
    changed.notify_all();
    if (worker.joinable()) worker.join();
  }

  bool at_end() const { return position >= rows.size(); }

  Batch read() {
    const size_t count = std::min(rows.size() - position, static_cast<size_t>(options.batch_size));
    Batch batch;
    batch.rows.assign(rows.data() + position, rows.data() + position + count);
    const Augmentation& augment = options.augment;
    batch.images = augment.active() ? data.augmented(batch.rows, augment, options.seed) : data.images(batch.rows);
    if (options.labels) batch.labels = data.labels(batch.rows);
    position += count;
    return batch;
  }

  // Reads one batch ahead of the caller: the caller's and this one are all that there are.
  void work() {
    std::unique_lock<std::mutex> lock(mutex);
    while (!stop && !at_end() && !failure) {
      lock.unlock();
      std::optional<Batch> batch;
      std::exception_ptr thrown;
      try {
        batch = read();
      } catch (...) {
        thrown = std::current_exception();
      }
      lock.lock();
      ready = std::move(batch);
      failure = thrown;
      changed.notify_all();
      changed.wait(lock, [this] { return stop || failure || !ready; });
    }
    finished = true;
    changed.notify_all();
  }

  bool next(Batch& batch) {
    batch = Batch();
    if (!worker.joinable()) {
      if (at_end()) return false;
      batch = read();
      return true;
    }
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [this] { return ready || failure || finished; });
    if (failure) std::rethrow_exception(failure);
    if (!ready) return false;
    batch = std::move(*ready);
    ready.reset();
    changed.notify_all();
    return true;
  }

  Dataset& data;
  std::vector<int64_t> rows;
  const LoaderOptions options;
  size_t position = 0;  // the reader's alone
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Batch> ready;
  std::exception_ptr failure;
  bool stop = false, finished = false;
  std::thread worker;
};

std::vector<int64_t> every_row(const Dataset& data) {
  std::vector<int64_t> rows(static_cast<size_t>(data.size()));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  return rows;
}

Loader::Loader(Dataset& data, std::vector<int64_t> rows, const LoaderOptions& options)
    : state_(std::make_unique<State>(data, std::move(rows), options)) {}
Loader::Loader(Dataset& data, const LoaderOptions& options) : Loader(data, every_row(data), options) {}
Loader::~Loader() = default;
bool Loader::next(Batch& batch) { return state_->next(batch); }

}  // namespace mas
