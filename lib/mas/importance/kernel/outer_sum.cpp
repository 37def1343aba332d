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

// The cheapest shapes that together cover the columns. The last shape is one vector wide.
std::vector<TileShape> cover(const Kernels& kernels, int64_t columns) {
  const int lanes = kernels.shapes[kernels.shape_count - 1].width;
  const int64_t vectors = (columns + lanes - 1) / lanes;
  std::vector<double> cost(vectors + 1, 0);
  std::vector<const TileShape*> choice(vectors + 1);
  for (int64_t v = 1; v <= vectors; v++)
    for (const TileShape* s = kernels.shapes; s < kernels.shapes + kernels.shape_count; s++) {
      const double c = cost[std::max<int64_t>(0, v - s->width / lanes)] + s->width / s->speed;
      if (choice[v] && c >= cost[v]) continue;
      cost[v] = c;
      choice[v] = s;
    }
  std::vector<TileShape> shapes;
  for (int64_t v = vectors; v > 0; v -= shapes.back().width / lanes) shapes.push_back(*choice[v]);
  return shapes;
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
    : groups_(groups), k_(k), columns_(columns), measure_(measure), kernels_(&kernels()), width_(0) {
  for (const TileShape& shape : cover(*kernels_, columns)) {
    panels_.push_back({width_, shape});
    width_ += shape.width;
  }
  omega_ = at::zeros({groups * k * width_});
}

std::vector<OuterSum::Item> OuterSum::items(int64_t threads) const {
  int64_t all = 0;
  for (const Panel& p : panels_) all += groups_ * tiles(p);
  const int64_t most = std::clamp<int64_t>(all / (8 * threads), 1, 16);
  std::vector<Item> items;
  for (int64_t g = 0; g < groups_; g++)
    for (const Panel& p : panels_)
      for (int64_t t = 0; t < tiles(p); t += most) items.push_back({g, &p, t, std::min(t + most, tiles(p))});
  return items;
}

void OuterSum::run(int64_t samples, const Source& x, const int64_t* offset, const float* packed,
                   const Positions& positions, Measure measure) {
  const int64_t threads = at::get_num_threads(), length = positions.count();
  const auto work = items(threads);
  float* omega = omega_.data_ptr<float>();
  // An item owns its piece of omega, so nothing is reduced; a counter hands items out, as another library's thread may
  // sit on a core.
  std::atomic<size_t> next{0};
  const auto take_items = [&](int64_t, int64_t) {
    for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < work.size();) {
      const auto& [group, panel, first, last] = work[i];
      const int64_t count = tiles(*panel), before = group * width_ + panel->column;
      for (int64_t n = 0; n < samples; n++)
        for (int64_t t = first; t < last; t++) {
          const int64_t k0 = t * k_ / count, k1 = (t + 1) * k_ / count;  // of nearly equal heights
          panel->shape.tile[k1 - k0](x.data + n * x.sample + group * x.group, offset + k0,
                                     packed + (n * groups_ * width_ + before) * length, positions, measure,
                                     omega + before * k_ + k0 * panel->shape.width);
        }
    }
  };
  const int64_t multiplications = samples * length * k_ * groups_ * columns_;
  const int64_t useful = std::min({threads, int64_t(work.size()), 1 + multiplications / (8 * kGrain)});
  at::parallel_for(0, useful, 1, take_items);
}

void OuterSum::add(int64_t samples, const Source& x, const std::vector<int64_t>& offset, const Delta& delta,
                   const Positions& positions, float* delta_sums) {
  const int64_t length = positions.count(), sample = groups_ * width_ * length;
  if (!samples || !length || !k_) return;
  const int64_t chunk = std::clamp<int64_t>(kPackedMost / sample, 1, samples),
                blocks = groups_ * int64_t(panels_.size());
  float* packed = scratch(0, chunk * sample);
  for (int64_t n0 = 0; n0 < samples; n0 += chunk) {
    const int64_t some = std::min(chunk, samples - n0);
    at::parallel_for(0, some * blocks, 1 + kGrain * blocks / sample, [&](int64_t begin, int64_t end) {
      std::vector<float> sums(delta_sums ? width_ : 0);
      for (int64_t i = begin; i < end; i++) {
        const int64_t n = i / blocks, g = i % blocks / int64_t(panels_.size());
        const Panel& p = panels_[i % panels_.size()];
        const int64_t used = std::min<int64_t>(p.shape.width, columns_ - p.column), channel = g * columns_ + p.column;
        float* to = packed + n * sample + (g * width_ + p.column) * length;
        kernels_->pack({delta.data + (n0 + n) * delta.sample + channel * delta.channel_step, delta.channel_step,
                        delta.position_step},
                       used, p.shape.width, length, to);
        if (delta_sums) {
          kernels_->sum_rows(to, length, p.shape.width, sums.data());
          std::copy_n(sums.data(), used, delta_sums + (n0 + n) * groups_ * columns_ + channel);
        }
      }
    });
    run(some, {x.data + n0 * x.sample, x.sample, x.group}, offset.data(), packed, positions, measure_);
  }
}

void OuterSum::add_rank_one(int64_t n, const float* a, const float* d) {
  for (int64_t n0 = 0; n0 < n; n0 += kRankOneRows) {
    const int64_t rows = std::min(kRankOneRows, n - n0), stride = (rows + 15) / 16 * 16;
    float* packed = scratch(0, rows * width_);
    float* turned = scratch(1, k_ * stride);  // f(a), [k][rows]: neighbouring rows of a would thrash the cache
    const int64_t panels = int64_t(panels_.size());
    at::parallel_for(0, panels, 1 + kGrain * panels / (rows * width_), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const Panel& p = panels_[i];
        float* to = packed + p.column * rows;
        kernels_->pack({d + n0 * columns_ + p.column, 1, columns_},
                       std::min<int64_t>(p.shape.width, columns_ - p.column), p.shape.width, rows, to);
        kernels_->measure(measure_, rows * p.shape.width, to);
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
  const at::Tensor groups = omega_.view({groups_, k_ * width_});
  for (const Panel& p : panels_) {
    const int64_t used = std::min<int64_t>(p.shape.width, columns_ - p.column);
    const auto panel = groups.narrow(1, k_ * p.column, k_ * p.shape.width).view({groups_, k_, p.shape.width});
    all.narrow(2, p.column, used).copy_(panel.narrow(2, 0, used));
  }
  omega_.zero_();
  return all;
}

}  // namespace mas
