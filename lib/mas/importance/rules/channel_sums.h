#pragma once
#include <ATen/ATen.h>

namespace mas {

/// Sums over the positions of each channel, for norm layers: [rows, channels].
struct ChannelSums {
  at::Tensor delta;   ///< Σ δ
  at::Tensor scaled;  ///< Σ δ (x - shift)
};

/// delta and x [rows, channels, ...], shift [rows or 1, channels], of one floating-point type on the CPU. In one pass
/// over memory.
ChannelSums channel_sums(const at::Tensor& delta, const at::Tensor& x, const at::Tensor& shift);

/// Whether it takes them.
bool sums_channels(const at::Tensor& delta, const at::Tensor& x, const at::Tensor& shift);

}  // namespace mas
