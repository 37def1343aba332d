#include "mas/importance/kernel/outer_sum.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#ifndef _OPENMP
#error "at::parallel_for runs on one thread where OpenMP isn't switched on"
#endif

namespace mas {
namespace {

constexpr int64_t kGrain = 1 << 17;       // floats worth waking a thread for
constexpr int64_t kPackedMost = 1 << 20;  // floats of delta packed at a time: they should stay in the cache
constexpr int64_t kShare = 1 << 15;       // floats of a panel that an item's tiles pass over one after the other
constexpr int kItemTiles = 16, kTileFloats = 24 * 16;  // the largest tile

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

// Scratch that keeps its memory from call to call; one a thread, as estimators may run side by side. Aligned, as
// vectors that cross a line of the cache are read at half the speed.
float* scratch(int64_t size) {
  thread_local at::Tensor memory;
  if (!memory.defined() || memory.numel() < size) memory = at::empty({size}, at::kFloat);
  return memory.data_ptr<float>();
}

// work(i) for each i below count, on at most `threads` threads. A counter hands the items out, as another library's
// thread may sit on a core.
template <class Work>
void hand_out(int64_t count, int64_t threads, const Work& work) {
  std::atomic<int64_t> next{0};
  at::parallel_for(0, std::min(threads, count), 1, [&](int64_t, int64_t) {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) work(i);
  });
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
  const int64_t most = std::clamp<int64_t>(all / (8 * threads), 1, kItemTiles);
  std::vector<Item> items;
  for (int64_t g = 0; g < groups_; g++)
    for (const Panel& p : panels_)
      for (int64_t t = 0; t < tiles(p); t += most) items.push_back({g, &p, t, std::min(t + most, tiles(p))});
  return items;
}

void OuterSum::run(int64_t samples, const Source& x, const int64_t* offset, const float* packed, int64_t packed_sample,
                   const Positions& positions) {
  const int64_t threads = at::get_num_threads(), length = positions.count();
  const auto work = items(threads);
  float* omega = omega_.data_ptr<float>();
  const int64_t multiplications = samples * length * k_ * groups_ * columns_;
  // An item owns its piece of omega, so nothing is reduced.
  hand_out(int64_t(work.size()), std::min(threads, 1 + multiplications / (8 * kGrain)), [&](int64_t i) {
    const auto& [group, panel, first, last] = work[i];
    const int64_t count = tiles(*panel), before = group * width_ + panel->column, width = panel->shape.width;
    const int64_t lines = positions.planes * positions.rows;
    const int64_t share = std::max<int64_t>(1, kShare / (width * positions.columns));
    alignas(64) float carry[kItemTiles][kTileFloats];
    for (int64_t n = 0; n < samples; n++)
      for (int64_t line = 0; line < lines; line += share) {
        const Lines some{line, std::min(share, lines - line), line == 0, line + share >= lines};
        for (int64_t t = first; t < last; t++) {
          const int64_t k0 = t * k_ / count, k1 = (t + 1) * k_ / count;  // of nearly equal heights
          panel->shape.tile[k1 - k0](x.data + n * x.sample + group * x.group, offset + k0,
                                     packed + n * packed_sample + before * length, positions, some, measure_,
                                     carry[t - first], omega + before * k_ + k0 * width);
        }
      }
  });
}

// delta of `samples` samples into panels, [sample][group][panel][position][columns of the panel], and its sums. Without
// `packed`, delta is one panel as it is.
void OuterSum::pack(int64_t samples, const Delta& delta, int64_t length, float* packed, float* sums) const {
  const int64_t count = int64_t(panels_.size()), blocks = groups_ * count, sample = groups_ * width_ * length;
  at::parallel_for(0, samples * blocks, 1 + kGrain * blocks / sample, [&](int64_t begin, int64_t end) {
    std::vector<float> sum(width_);
    for (int64_t i = begin; i < end; i++) {
      const int64_t n = i / blocks, g = i % blocks / count;
      const Panel& p = panels_[i % count];
      const int64_t used = std::min<int64_t>(p.shape.width, columns_ - p.column), channel = g * columns_ + p.column;
      const float* panel = delta.data + n * delta.sample;
      if (packed) {
        float* to = packed + n * sample + (g * width_ + p.column) * length;
        kernels_->pack({panel + channel * delta.channel_step, delta.channel_step, delta.position_step}, used,
                       p.shape.width, length, to);
        panel = to;
      }
      if (!sums) continue;
      kernels_->sum_rows(panel, length, p.shape.width, sum.data());
      std::copy_n(sum.data(), used, sums + n * groups_ * columns_ + channel);
    }
  });
}

void OuterSum::add(int64_t samples, const Source& x, const std::vector<int64_t>& offset, const Delta& delta,
                   const Positions& positions, float* delta_sums) {
  const int64_t length = positions.count(), sample = groups_ * width_ * length;
  if (!samples || !length || !k_ || !columns_) return;
  const int64_t chunk = std::clamp<int64_t>(kPackedMost / sample, 1, samples);
  // Where a position's channels lie side by side and one panel takes them all, delta is packed as it is.
  const bool ready = groups_ == 1 && panels_.size() == 1 && columns_ == width_ && delta.channel_step == 1 &&
                     delta.position_step == width_;
  float* packed = ready ? nullptr : scratch(chunk * sample);
  for (int64_t n = 0; n < samples; n += chunk) {
    const int64_t some = std::min(chunk, samples - n);
    const Delta here{delta.data + n * delta.sample, delta.sample, delta.channel_step, delta.position_step};
    if (!ready || delta_sums)
      pack(some, here, length, packed, delta_sums ? delta_sums + n * groups_ * columns_ : nullptr);
    run(some, {x.data + n * x.sample, x.sample, x.group}, offset.data(), ready ? here.data : packed,
        ready ? delta.sample : sample, positions);
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
