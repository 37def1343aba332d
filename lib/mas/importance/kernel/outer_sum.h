#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <vector>

#include "mas/importance/kernel/tiles.h"

namespace mas {

/// Sums f(per-sample gradient) of a weight seen as `groups` matrices [k, columns]:
///
///     omega[g][k][c] += f( sum_l x[p(l) + offset[k]] * delta[c][l] )       for each sample,  f = |.| or square
///
/// A register tile runs over all positions l of one sample and adds f straight to omega: no per-sample gradient and no
/// unfolded input ever lies in memory. Convolutions (strided, dilated, grouped) and linear layers over sequences differ
/// in their offsets only. float32; sums of at most a thousand samples or so should be taken out before more are added.
class OuterSum {
 public:
  OuterSum(int64_t groups, int64_t k, int64_t columns, Measure measure);

  /// Where x lies: sample n, group g at data + n * sample + g * group, in floats.
  struct Source {
    const float* data;
    int64_t sample, group;
  };
  /// Where delta lies: element (n, g, c, l) at data + n * sample + (g * columns + c) * channel_step + l *
  /// position_step.
  struct Delta {
    const float* data;
    int64_t sample, channel_step, position_step;
  };
  /// offset: k of them, in floats. delta_sums, when given: delta summed over l, [samples, groups * columns].
  void add(int64_t samples, const Source& x, const std::vector<int64_t>& offset, const Delta& delta,
           const Positions& positions, float* delta_sums = nullptr);
  /// [groups, k, columns], and starts again from zero.
  at::Tensor take();

  int64_t groups() const { return groups_; }
  int64_t k() const { return k_; }
  int64_t columns() const { return columns_; }

 private:
  struct Panel {  // neighbouring columns, as many as a tile is wide
    int64_t column;
    TileShape shape;
  };
  struct Item {  // the work a thread takes at a time: tiles [first, last) of a panel
    int64_t group;
    const Panel* panel;
    int64_t first, last;
  };
  void pack(int64_t samples, const Delta& delta, int64_t length, float* packed, float* sums) const;
  void run(int64_t samples, const Source& x, const int64_t* offset, const float* packed, int64_t packed_sample,
           const Positions& positions);
  std::vector<Item> items(int64_t threads) const;
  int64_t tiles(const Panel& panel) const { return (k_ + panel.shape.max_rows - 1) / panel.shape.max_rows; }

  int64_t groups_, k_, columns_;
  Measure measure_;
  const Kernels* kernels_;
  std::vector<Panel> panels_;  // of one group
  int64_t width_;              // of all panels together, columns_ or a little more
  at::Tensor omega_;           // [groups][panel][k][columns of the panel]
};

}  // namespace mas
