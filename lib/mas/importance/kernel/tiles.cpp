#include "mas/importance/kernel/tiles.h"

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstddef>
#include <utility>

// Vectors without a size at compile time can't be kept in arrays; the others left out equal a target that is kept here.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV | HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "mas/importance/kernel/tiles.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mas {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Lanes = hn::ScalableTag<float>;
using Vector = hn::Vec<Lanes>;
constexpr Lanes kLanes;
constexpr int kWidth = hn::MaxLanes(kLanes);

template <int kRows, int kVectors>
void tile(const float* HWY_RESTRICT x, const int64_t* HWY_RESTRICT offset, const float* HWY_RESTRICT delta,
          const Positions& positions, const Lines& lines, Measure measure, float* HWY_RESTRICT carry,
          float* HWY_RESTRICT omega) {
  constexpr int kStep = kWidth * kVectors;
  Vector sum[kRows][kVectors];
  const float* row[kRows];
  HWY_UNROLL(16)
  for (int r = 0; r < kRows; r++) {
    row[r] = x + offset[r];
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; v++)
      sum[r][v] = lines.begin ? hn::Zero(kLanes) : hn::LoadU(kLanes, carry + r * kStep + kWidth * v);
  }
  if (lines.end)
    for (int i = 0; i < kRows * kStep; i += 16) hwy::Prefetch(omega + i);  // arrives during the sums
  delta += lines.first * positions.columns * kStep;
  for (int64_t line = lines.first; line < lines.first + lines.count; line++) {
    int64_t at = line / positions.rows * positions.plane_step + line % positions.rows * positions.row_step;
    for (int64_t j = 0; j < positions.columns; j++, at += positions.column_step, delta += kStep) {
      Vector d[kVectors];
      HWY_UNROLL(4)
      for (int v = 0; v < kVectors; v++) d[v] = hn::LoadU(kLanes, delta + kWidth * v);
      HWY_UNROLL(16)
      for (int r = 0; r < kRows; r++) {
        const Vector a = hn::Set(kLanes, row[r][at]);
        HWY_UNROLL(4)
        for (int v = 0; v < kVectors; v++) sum[r][v] = hn::MulAdd(a, d[v], sum[r][v]);
      }
    }
  }
  HWY_UNROLL(16)
  for (int r = 0; r < kRows; r++) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; v++) {
      const int at = r * kStep + kWidth * v;
      const Vector g = sum[r][v];
      if (!lines.end) {
        hn::StoreU(g, kLanes, carry + at);
        continue;
      }
      const Vector before = hn::LoadU(kLanes, omega + at);
      if (measure == Measure::kSquare)
        hn::StoreU(hn::MulAdd(g, g, before), kLanes, omega + at);
      else
        hn::StoreU(hn::Add(measure == Measure::kAbsolute ? hn::Abs(g) : g, before), kLanes, omega + at);
    }
  }
}

template <int kVectors, size_t... kRows>
const Tile* tiles(std::index_sequence<kRows...>) {
  static constexpr Tile all[] = {nullptr, tile<int(kRows) + 1, kVectors>...};
  return all;
}
template <int kVectors, int kMaxRows>
TileShape shape(double speed) {
  return {kVectors * kWidth, kMaxRows, speed, tiles<kVectors>(std::make_index_sequence<kMaxRows>())};
}

#if HWY_TARGET != HWY_SCALAR
// A vector of 4-lane blocks, block b read from p + 4 * b * step.
template <class D>
HWY_INLINE hn::Vec<D> load_blocks(D d, const float* p, int64_t step) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    return hn::LoadU(d, p);
  } else {
    const hn::Half<D> half;
    constexpr int64_t kBlocks = hn::MaxLanes(half) / 4;
    return hn::Combine(d, load_blocks(half, p + 4 * kBlocks * step, step), load_blocks(half, p, step));
  }
}

// to[l][c] = from[c][l] for 4 positions and one vector of channels: 4 x 4 in each block.
HWY_INLINE void transpose(const float* HWY_RESTRICT from, int64_t step, float* HWY_RESTRICT to, int64_t width) {
  const hn::Repartition<double, Lanes> pairs;
  const Vector a = load_blocks(kLanes, from, step), b = load_blocks(kLanes, from + step, step),
               c = load_blocks(kLanes, from + 2 * step, step), d = load_blocks(kLanes, from + 3 * step, step);
  const auto ab = hn::BitCast(pairs, hn::InterleaveLower(kLanes, a, b)),
             cd = hn::BitCast(pairs, hn::InterleaveLower(kLanes, c, d)),
             ab_up = hn::BitCast(pairs, hn::InterleaveUpper(kLanes, a, b)),
             cd_up = hn::BitCast(pairs, hn::InterleaveUpper(kLanes, c, d));
  hn::StoreU(hn::BitCast(kLanes, hn::InterleaveLower(pairs, ab, cd)), kLanes, to);
  hn::StoreU(hn::BitCast(kLanes, hn::InterleaveUpper(pairs, ab, cd)), kLanes, to + width);
  hn::StoreU(hn::BitCast(kLanes, hn::InterleaveLower(pairs, ab_up, cd_up)), kLanes, to + 2 * width);
  hn::StoreU(hn::BitCast(kLanes, hn::InterleaveUpper(pairs, ab_up, cd_up)), kLanes, to + 3 * width);
}
#endif

void pack(const Strided& from, int64_t columns, int64_t width, int64_t positions, float* HWY_RESTRICT to) {
  for (int64_t c0 = 0; c0 < width; c0 += kWidth) {
    const int64_t some = std::clamp<int64_t>(columns - c0, 0, kWidth);
    const float* f = from.data + c0 * from.channel_step;
    float* t = to + c0;
    int64_t l = 0;
    if (some == kWidth && from.channel_step == 1) {
      for (; l < positions; l++) hn::StoreU(hn::LoadU(kLanes, f + l * from.position_step), kLanes, t + l * width);
#if HWY_TARGET != HWY_SCALAR
    } else if (some == kWidth && from.position_step == 1) {
      for (; l + 4 <= positions; l += 4) transpose(f + l, from.channel_step, t + l * width, width);
#endif
    }
    for (; l < positions; l++)
      for (int64_t c = 0; c < kWidth; c++)
        t[l * width + c] = c < some ? f[c * from.channel_step + l * from.position_step] : 0.f;
  }
}

void measure(Measure measure, int64_t count, const float* HWY_RESTRICT from, float* HWY_RESTRICT to) {
  const bool square = measure == Measure::kSquare;
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    const Vector v = hn::LoadU(kLanes, from + i);
    hn::StoreU(square ? hn::Mul(v, v) : hn::Abs(v), kLanes, to + i);
  }
  for (; i < count; i++) to[i] = square ? from[i] * from[i] : (from[i] < 0 ? -from[i] : from[i]);
}

// Columns [c, c + kVectors vectors of double): their sums stay in registers over all rows.
template <Measure kMeasure, int kVectors>
void accumulate_columns(int64_t rows, const float* HWY_RESTRICT from, int64_t step, double* HWY_RESTRICT to) {
  const hn::ScalableTag<double> wide;
  const hn::Rebind<float, decltype(wide)> narrow;
  const int64_t lanes = hn::Lanes(wide);
  hn::Vec<decltype(wide)> sum[kVectors];
  HWY_UNROLL(4)
  for (int v = 0; v < kVectors; v++) sum[v] = hn::LoadU(wide, to + v * lanes);
  for (int64_t r = 0; r < rows; r++, from += step) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; v++) {
      const auto value = hn::PromoteTo(wide, hn::LoadU(narrow, from + v * lanes));
      if (kMeasure == Measure::kSquare)
        sum[v] = hn::MulAdd(value, value, sum[v]);
      else
        sum[v] = hn::Add(kMeasure == Measure::kAbsolute ? hn::Abs(value) : value, sum[v]);
    }
  }
  HWY_UNROLL(4)
  for (int v = 0; v < kVectors; v++) hn::StoreU(sum[v], wide, to + v * lanes);
}

template <Measure kMeasure>
void accumulate_as(int64_t rows, int64_t width, const float* HWY_RESTRICT from, int64_t step, double* HWY_RESTRICT to) {
  const int64_t lanes = hn::Lanes(hn::ScalableTag<double>());
  int64_t c = 0;
  for (; c + 4 * lanes <= width; c += 4 * lanes) accumulate_columns<kMeasure, 4>(rows, from + c, step, to + c);
  for (; c + lanes <= width; c += lanes) accumulate_columns<kMeasure, 1>(rows, from + c, step, to + c);
  for (; c < width; c++)
    for (int64_t r = 0; r < rows; r++) {
      const double value = from[r * step + c];
      to[c] += kMeasure == Measure::kSquare                  ? value * value
               : kMeasure == Measure::kAbsolute && value < 0 ? -value
                                                             : value;
    }
}

void accumulate(Measure measure, int64_t rows, int64_t width, const float* from, int64_t step, double* to) {
  if (measure == Measure::kAbsolute) return accumulate_as<Measure::kAbsolute>(rows, width, from, step, to);
  if (measure == Measure::kSquare) return accumulate_as<Measure::kSquare>(rows, width, from, step, to);
  accumulate_as<Measure::kNone>(rows, width, from, step, to);
}

void sum_rows(const float* HWY_RESTRICT panel, int64_t rows, int64_t width, float* HWY_RESTRICT sums) {
  for (int64_t c = 0; c < width; c += kWidth) {
    Vector even = hn::Zero(kLanes), odd = hn::Zero(kLanes);
    int64_t l = 0;
    for (; l + 2 <= rows; l += 2) {
      even = hn::Add(even, hn::LoadU(kLanes, panel + l * width + c));
      odd = hn::Add(odd, hn::LoadU(kLanes, panel + (l + 1) * width + c));
    }
    if (l < rows) even = hn::Add(even, hn::LoadU(kLanes, panel + l * width + c));
    hn::StoreU(hn::Add(even, odd), kLanes, sums + c);
  }
}

const Kernels* kernels_here() {
  // Sums, one vector of x and the vectors of delta have to fit: 32 registers with AVX-512 and on Arm, else 16.
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM_A64
  static const TileShape shapes[] = {shape<4, 6>(1), shape<3, 8>(1), shape<2, 12>(.93), shape<1, 14>(.58)};
#else
  static const TileShape shapes[] = {shape<3, 4>(1), shape<2, 6>(1), shape<1, 10>(.8)};
#endif
  static const Kernels all = {HWY_TARGET, int(sizeof shapes / sizeof *shapes), shapes, pack, measure, accumulate,
                              sum_rows};
  return &all;
}

}  // namespace HWY_NAMESPACE
}  // namespace mas
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mas {
HWY_EXPORT(kernels_here);
const Kernels& kernels() { return *HWY_DYNAMIC_DISPATCH(kernels_here)(); }
}  // namespace mas
#endif
