// Convolutions in one to three dimensions, also transposed: by the kernel, or a sample at a time.
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/generated/Functions.h>

#include <algorithm>

#include "mas/importance/integers.h"
#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::generated::ConvolutionBackward0;
using torch::autograd::generated::ConvolutionBackward1;

constexpr int64_t kPaddedMost = 1 << 20;  // floats of padded input at a time: they should stay in the cache
constexpr int64_t kGrain = 1 << 15;       // floats worth waking a thread for

// The field's name differs between nodes and releases.
template <class Backward>
auto has_bias(const Backward& node, int) -> decltype(node.bias_sym_sizes_opt.list.has_value()) {
  return node.bias_sym_sizes_opt.list.has_value();
}
template <class Backward>
auto has_bias(const Backward& node, long) -> decltype(node.bias_sizes_opt.list.has_value()) {
  return node.bias_sizes_opt.list.has_value();
}

struct Convolution {
  at::Tensor x, weight;
  std::vector<int64_t> stride, padding, dilation, output_padding;
  bool transposed;
  int64_t groups;
  bool bias;
};

template <class Backward>
Convolution read(torch::autograd::Node& any) {
  auto& node = static_cast<Backward&>(any);
  return {saved(node, node.input_), saved(node, node.weight_), integers(node.stride),
          integers(node.padding),   integers(node.dilation),   integers(node.output_padding),
          node.transposed,          integer(node.groups),      has_bias(node, 0)};
}

at::Tensor dense(const at::Tensor& t) { return channels_innermost(t) ? t : t.contiguous(); }

/// The weight's gradient as the kernel sees it: windows on `input` against `outer`, both [n, channels, D, H, W].
/// A transposed convolution is one with the sides exchanged: windows lie on its output.
struct Windows {
  at::Tensor input, outer;
  bool input_last, outer_last;  // the channels are innermost in memory
  std::vector<int64_t> kernel, stride, padding, dilation;
  int64_t groups;
};

Windows windows(const Convolution& c, const at::Tensor& delta) {
  Windows w{dense(c.transposed ? delta : c.x),
            dense(c.transposed ? c.x : delta),
            false,
            false,
            c.weight.sizes().slice(2).vec(),
            c.stride,
            c.padding,
            c.dilation,
            c.groups};
  w.input_last = channels_innermost(w.input);
  w.outer_last = channels_innermost(w.outer);
  while (w.input.dim() < 5) {  // a dimension that is missing has the size 1
    w.input = w.input.unsqueeze(2);
    w.outer = w.outer.unsqueeze(2);
    for (auto* v : {&w.kernel, &w.stride, &w.dilation}) v->insert(v->begin(), 1);
    w.padding.insert(w.padding.begin(), 0);
  }
  return w;
}

// x [n, channels, D, H, W] with zeros around, in its memory format, written once.
at::Tensor padded(const at::Tensor& x, const std::vector<int64_t>& pad, bool last) {
  const int64_t channels = x.size(1), inner = last ? channels : 1, outer = x.size(0) * channels / inner;
  const int64_t depth = x.size(2), height = x.size(3), row = x.size(4) * inner, side = pad[2] * inner;
  const int64_t planes = depth + 2 * pad[0], lines = height + 2 * pad[1], width = row + 2 * side;
  const auto format = last ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::Contiguous;
  at::Tensor y = at::empty({x.size(0), channels, planes, lines, x.size(4) + 2 * pad[2]}, x.options(), format);
  const float* from = x.data_ptr<float>();
  float* to = y.data_ptr<float>();
  at::parallel_for(0, outer * planes * lines, 1 + kGrain / std::max<int64_t>(1, width),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; i++) {
                       const int64_t d = i / lines % planes - pad[0], h = i % lines - pad[1], n = i / lines / planes;
                       float* line = to + i * width;
                       if (d < 0 || d >= depth || h < 0 || h >= height) {
                         std::fill_n(line, width, 0.f);
                         continue;
                       }
                       std::fill_n(line, side, 0.f);
                       std::copy_n(from + ((n * depth + d) * height + h) * row, row, line + side);
                       std::fill_n(line + side + row, side, 0.f);
                     }
                   });
  return y;
}

// sums: [n, channels], filled with outer's sums over positions when defined.
void add(const Windows& w, const at::Tensor& sums, OuterSum& omega) {
  const int64_t n = w.outer.size(0), channels = w.input.size(1) / w.groups;
  const auto &pad = w.padding, &kernel = w.kernel;
  const bool pads = pad[0] || pad[1] || pad[2];
  int64_t size = w.input.size(1);
  for (int i = 0; i < 3; i++) size *= w.input.size(2 + i) + 2 * pad[i];
  const int64_t chunk = pads ? std::clamp<int64_t>(kPaddedMost / std::max<int64_t>(1, size), 1, n) : n;
  const auto outer = w.outer.sizes().slice(2);
  const int64_t length = outer[0] * outer[1] * outer[2], sample = w.outer.size(1) * length;
  for (int64_t n0 = 0; n0 < n; n0 += chunk) {
    at::Tensor part = w.input.narrow(0, n0, std::min(chunk, n - n0));
    if (pads) part = padded(part, pad, w.input_last);
    int64_t step[3];
    for (int i = 0; i < 3; i++) step[i] = part.stride(2 + i);
    std::vector<int64_t> window, offset;
    for (int64_t h = 0; h < kernel[0]; h++)
      for (int64_t a = 0; a < kernel[1]; a++)
        for (int64_t b = 0; b < kernel[2]; b++)
          window.push_back(h * w.dilation[0] * step[0] + a * w.dilation[1] * step[1] + b * w.dilation[2] * step[2]);
    // Neighbours in memory follow one another: a tile's rows then share lines of the cache.
    const int64_t inside = int64_t(window.size()), count = channels * inside;
    for (int64_t i = 0; i < count; i++) {
      const int64_t channel = w.input_last ? i % channels : i / inside, at = w.input_last ? i / channels : i % inside;
      offset.push_back(channel * part.stride(1) + window[at]);
    }
    Positions positions{outer[1], outer[2], w.stride[1] * step[1], w.stride[2] * step[2]};
    positions.planes = outer[0];
    positions.plane_step = w.stride[0] * step[0];
    omega.add(part.size(0), {part.data_ptr<float>(), part.size(0) > 1 ? part.stride(0) : 0, channels * part.stride(1)},
              offset,
              {w.outer.data_ptr<float>() + n0 * sample, sample, w.outer_last ? 1 : length,
               w.outer_last ? w.outer.size(1) : 1},
              positions, sums.defined() ? sums.data_ptr<float>() + n0 * sums.size(1) : nullptr);
  }
}

std::map<int, Gradient> convolution(const Convolution& c, const Arrival& a) {
  std::map<int, Gradient> all;
  if (!a.one_row() || a.delta.dim() != c.x.dim()) return all;
  const at::Tensor delta = a.delta;
  const bool fits =
      a.kernels && a.slots.count(1) && c.x.scalar_type() == at::kFloat && c.x.dim() >= 3 && c.x.dim() <= 5;
  at::Tensor sums;
  if (fits && a.slots.count(2) && !c.transposed) sums = at::empty({a.samples, delta.size(1)});
  if (a.slots.count(1)) {
    auto& g = all[1];
    g.each = [=](int64_t first, int64_t count) {
      std::vector<at::Tensor> some;
      for (int64_t n = first; n < first + count; n++)
        some.push_back(std::get<1>(at::convolution_backward(delta.narrow(0, n, 1), c.x.narrow(0, n, 1), c.weight,
                                                            c10::nullopt, c.stride, c.padding, c.dilation, c.transposed,
                                                            c.output_padding, c.groups, {false, true, false})));
      return at::stack(some);
    };
    if (fits) {
      const auto size = c.weight.sizes();
      g.kernel.groups = c.groups;
      g.kernel.k = c.weight.numel() / std::max<int64_t>(1, size[0]);
      g.kernel.columns = size[0] / c.groups;
      const Windows w = windows(c, delta);
      g.kernel.add = [w, sums](OuterSum& omega) { add(w, sums, omega); };
      g.kernel.channels_last = w.input_last;
      g.kernel.arrange = [shape = size.vec(), groups = c.groups, last = w.input_last](const at::Tensor& omega) {
        if (!last) return omega.transpose(1, 2).reshape(shape);
        const int64_t channels = shape[1], columns = shape[0] / groups;
        return omega.reshape({groups, -1, channels, columns}).permute({0, 3, 2, 1}).reshape(shape);
      };
    }
  }
  if (a.slots.count(2)) {
    all[2].plain = true;
    all[2].each = [=](int64_t first, int64_t count) {  // after slot 1, which fills the sums
      return sums.defined() ? sums.narrow(0, first, count) : delta.narrow(0, first, count).flatten(2).sum(2);
    };
  }
  return all;
}

at::Tensor output(const Convolution& c, const Use& use, const std::function<at::Tensor(int)>& value) {
  const auto bias = use.slots.find(2);
  const bool parameter = bias != use.slots.end() && bias->second.chain.empty();
  if (c.bias && !parameter) return {};
  const at::Tensor b = parameter ? value(bias->second.parameter) : at::Tensor();
  return at::convolution(c.x, c.weight, b, c.stride, c.padding, c.dilation, c.transposed, c.output_padding, c.groups);
}

template <class Backward>
std::map<int, Gradient> gradients(const Arrival& a) {
  return convolution(read<Backward>(a.node), a);
}
template <class Backward>
at::Tensor output_of(const Use& use, const std::function<at::Tensor(int)>& value) {
  return output(read<Backward>(*use.node), use, value);
}

}  // namespace

const Rule kConvolution0{"convolution", gradients<ConvolutionBackward0>, output_of<ConvolutionBackward0>};
const Rule kConvolution1{"convolution", gradients<ConvolutionBackward1>, output_of<ConvolutionBackward1>};

}  // namespace mas
