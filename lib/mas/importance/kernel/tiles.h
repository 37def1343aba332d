#pragma once
#include <cstdint>

namespace mas {

/// What is summed over samples: |g| (MAS) or g^2 (Fisher).
enum class Measure { kAbsolute, kSquare, kNone /* terms that are measured already */ };

/// Where a sample's positions l = (h, i, j) lie in x: p(l) = h * plane_step + i * row_step + j * column_step, in
/// floats.
struct Positions {
  int64_t rows = 1, columns = 1;
  int64_t row_step = 0, column_step = 1;
  int64_t planes = 1, plane_step = 0;
  int64_t count() const { return planes * rows * columns; }
};

/// Neighbouring lines of positions, (h, i) counted as one: a share of a sample's that the cache holds. What tiles have
/// summed over the lines before lies in `carry` until the last share is done.
struct Lines {
  int64_t first, count;
  bool begin, end;  ///< the sample's first share; its last
};

/// omega[r][c] += f(sum_l x[p(l) + offset[r]] * delta[l][c]) for the rows of one tile. delta: [positions][width],
/// packed, from the sample's first position; carry and omega: [rows][width].
using Tile = void (*)(const float* x, const int64_t* offset, const float* delta, const Positions& positions,
                      const Lines& lines, Measure measure, float* carry, float* omega);

/// Tiles of one width: as many channels as a few vectors hold, by as many rows as then stay in registers.
struct TileShape {
  int width;         ///< channels
  int max_rows;      ///< of one tile
  double speed;      ///< relative, measured
  const Tile* tile;  ///< tile[r] works on r rows, 1 <= r <= max_rows
};

/// A matrix in memory: element (c, l) at data[c * channel_step + l * position_step], in floats.
struct Strided {
  const float* data;
  int64_t channel_step, position_step;
};

/// The inner loops, compiled for one instruction set.
struct Kernels {
  int64_t target;  ///< hwy's bit
  int shape_count;
  const TileShape* shapes;
  /// to[l][c] = from(c, l) for c < columns, 0 for the others below width (a multiple of a vector's lanes).
  void (*pack)(const Strided& from, int64_t columns, int64_t width, int64_t positions, float* to);
  /// to[i] = f(from[i])
  void (*measure)(Measure measure, int64_t count, const float* from, float* to);
  /// to[c] += sum over rows of f(from[row * step + c]), c < width: terms in float32, sums in float64.
  void (*accumulate)(Measure measure, int64_t rows, int64_t width, const float* from, int64_t step, double* to);
  /// sums[c] = sum over l of panel[l][c]
  void (*sum_rows)(const float* panel, int64_t rows, int64_t width, float* sums);
};

/// Those for the best instruction set of this processor.
const Kernels& kernels();

}  // namespace mas
