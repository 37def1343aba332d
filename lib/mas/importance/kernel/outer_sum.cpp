#include "mas/importance/kernel/outer_sum.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <memory>

namespace mas {
namespace {

constexpr int64_t kGrain = 1 << 17;       // floats worth waking a thread for
constexpr int64_t kPackedMost = 1 << 20;  // floats of delta packed at a time: they should stay in the cache
constexpr int64_t kRankOneRows = 256;     // rows at a time: their panels fit the second-level cache

TileShape best_shape(const Kernels& kernels, int64_t columns) {
  const auto cost = [&](const TileShape& s) { return double((columns + s.width - 1) / s.width * s.width) / s.speed; };
  return *std::min_element(kernels.shapes, kernels.shapes + kernels.shape_count,
                           [&](const TileShape& a, const TileShape& b) { return cost(a) < cost(b); });
}

// Scratch that keeps its memory from call to call; one a thread, as estimators may run side by side.
float* scratch(int slot, int64_t size) {
  thread_local std::unique_ptr<float[]> memory[2];
  thread_local int64_t capacity[2] = {0, 0};
  if (capacity[slot] < size) {
    memory[slot].reset();
    memory[slot].reset(new float[size]);
    capacity[slot] = size;
  }
  return memory[slot].get();
}

}  // namespace

OuterSum::OuterSum(int64_t groups, int64_t k, int64_t columns, Measure measure)
    : groups_(groups),
      k_(k),
      columns_(columns),
      measure_(measure),
      kernels_(&kernels()),
      shape_(best_shape(*kernels_, columns)),
      panels_((columns + shape_.width - 1) / shape_.width),
      omega_(at::zeros({groups, panels_, k, shape_.width})) {}

void OuterSum::run(int64_t samples, const Source& x, const int64_t* offset, const float* packed,
                   const Positions& positions, Measure measure) {
  const int64_t panel = positions.count() * shape_.width, blocks = groups_ * panels_;
  const int64_t tiles = (k_ + shape_.max_rows - 1) / shape_.max_rows;  // of nearly equal heights
  const int64_t threads = at::get_num_threads();
  const int64_t tiles_an_item = std::clamp<int64_t>(blocks * tiles / (8 * threads), 1, 16);
  const int64_t items = (tiles + tiles_an_item - 1) / tiles_an_item;
  float* omega = omega_.data_ptr<float>();
  // An item owns its piece of omega, so nothing is reduced; a counter hands items out, as another library's thread may
  // sit on a core.
  std::atomic<int64_t> next{0};
  const auto work = [&](int64_t, int64_t) {
    for (int64_t item; (item = next.fetch_add(1, std::memory_order_relaxed)) < blocks * items;) {
      const int64_t block = item / items, first = item % items * tiles_an_item;
      for (int64_t n = 0; n < samples; n++) {
        const float* sample = x.data + n * x.sample + block / panels_ * x.group;
        for (int64_t t = first; t < std::min(first + tiles_an_item, tiles); t++) {
          const int64_t k0 = t * k_ / tiles, k1 = (t + 1) * k_ / tiles;
          shape_.tile[k1 - k0](sample, offset + k0, packed + (n * blocks + block) * panel, positions, measure,
                               omega + (block * k_ + k0) * shape_.width);
        }
      }
    }
  };
  const int64_t multiplications = samples * positions.count() * k_ * groups_ * columns_;
  const int64_t useful = std::min({threads, blocks * items, 1 + multiplications / (8 * kGrain)});
  at::parallel_for(0, useful, 1, work);
}

void OuterSum::add(int64_t samples, const Source& x, const std::vector<int64_t>& offset, const Delta& delta,
                   const Positions& positions, float* delta_sums) {
  const int64_t length = positions.count(), width = shape_.width, panel = length * width, blocks = groups_ * panels_;
  if (!samples || !length || !k_) return;
  const int64_t chunk = std::clamp<int64_t>(kPackedMost / (blocks * panel), 1, samples);
  float* packed = scratch(0, chunk * blocks * panel);
  for (int64_t n0 = 0; n0 < samples; n0 += chunk) {
    const int64_t some = std::min(chunk, samples - n0);
    at::parallel_for(0, some * blocks, 1 + kGrain / panel, [&](int64_t begin, int64_t end) {
      std::vector<float> sums(delta_sums ? width : 0);
      for (int64_t i = begin; i < end; i++) {
        const int64_t n = n0 + i / blocks, g = i % blocks / panels_, c0 = i % panels_ * width;
        const int64_t used = std::min(width, columns_ - c0);
        float* to = packed + i * panel;
        kernels_->pack({delta.data + n * delta.sample + (g * columns_ + c0) * delta.channel_step, delta.channel_step,
                        delta.position_step},
                       used, width, length, to);
        if (delta_sums) {
          kernels_->sum_rows(to, length, width, sums.data());
          std::copy_n(sums.data(), used, delta_sums + (n * groups_ + g) * columns_ + c0);
        }
      }
    });
    run(some, {x.data + n0 * x.sample, x.sample, x.group}, offset.data(), packed, positions, measure_);
  }
}

void OuterSum::add_rank_one(int64_t n, const float* a, const float* d) {
  for (int64_t n0 = 0; n0 < n; n0 += kRankOneRows) {
    const int64_t rows = std::min(kRankOneRows, n - n0), stride = (rows + 15) / 16 * 16, width = shape_.width;
    float* packed = scratch(0, panels_ * rows * width);
    float* turned = scratch(1, k_ * stride);  // f(a), [k][rows]: neighbouring rows of a would thrash the cache
    at::parallel_for(0, panels_, 1 + kGrain / (rows * width), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; p++) {
        float* to = packed + p * rows * width;
        kernels_->pack({d + n0 * columns_ + p * width, 1, columns_}, std::min(width, columns_ - p * width), width, rows,
                       to);
        kernels_->measure(measure_, rows * width, to);
      }
    });
    const int64_t strips = (k_ + 15) / 16;
    at::parallel_for(0, strips, 1 + kGrain / (16 * stride), [&](int64_t begin, int64_t end) {
      const int64_t k0 = begin * 16, k1 = std::min(k_, end * 16);
      kernels_->pack({a + n0 * k_ + k0, k_, 1}, rows, stride, k1 - k0, turned + k0 * stride);
      kernels_->measure(measure_, (k1 - k0) * stride, turned + k0 * stride);
    });
    std::vector<int64_t> offset(k_);
    for (int64_t i = 0; i < k_; i++) offset[i] = i * stride;
    run(1, {turned, 0, 0}, offset.data(), packed, {1, rows, 0, 1}, Measure::kNone);
  }
}

at::Tensor OuterSum::take() {
  at::Tensor all = at::empty({groups_, k_, columns_});
  for (int64_t p = 0; p < panels_; p++) {
    const int64_t c0 = p * shape_.width, used = std::min<int64_t>(shape_.width, columns_ - c0);
    all.narrow(2, c0, used).copy_(omega_.select(1, p).narrow(2, 0, used));
  }
  omega_.zero_();
  return all;
}

}  // namespace mas
