// Convolutions in one and two dimensions by the kernel; transposed and three-dimensional ones a sample at a time.
#include <torch/csrc/autograd/generated/Functions.h>

#include <algorithm>

#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::generated::ConvolutionBackward0;
using torch::autograd::generated::ConvolutionBackward1;

constexpr int64_t kPaddedMost = 1 << 20;  // floats of padded input at a time: they should stay in the cache

int64_t integer(int64_t i) { return i; }
template <class SymInt>  // LibTorch 2.x
int64_t integer(const SymInt& i) {
  return i.expect_int();
}
template <class T>
std::vector<int64_t> ints(const std::vector<T>& v) {
  std::vector<int64_t> out;
  for (const auto& i : v) out.push_back(integer(i));
  return out;
}

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
  return {saved(node, node.input_), saved(node, node.weight_), ints(node.stride),
          ints(node.padding),       ints(node.dilation),       ints(node.output_padding),
          node.transposed,          integer(node.groups),      has_bias(node, 0)};
}

bool channels_last(const at::Tensor& t) {
  return !t.is_contiguous() && t.is_contiguous(at::MemoryFormat::ChannelsLast);
}
at::Tensor dense(const at::Tensor& t) { return channels_last(t) ? t : t.contiguous(); }

// One dimension is two with a height of 1.
Convolution two_dimensional(Convolution c) {
  if (c.x.dim() == 4) return c;
  c.x = c.x.unsqueeze(2);
  c.weight = c.weight.unsqueeze(2);
  for (auto* v : {&c.stride, &c.dilation}) v->insert(v->begin(), 1);
  c.padding.insert(c.padding.begin(), 0);
  return c;
}

// sums: [n, channels], filled with delta's sums over positions when defined.
void add(const Convolution& c, const at::Tensor& delta, const at::Tensor& sums, OuterSum& omega) {
  const int64_t n = delta.size(0), in = c.x.size(1) / c.groups, kh = c.weight.size(2), kw = c.weight.size(3);
  const bool pad = c.padding[0] || c.padding[1];
  const int64_t padded = c.x.size(1) * (c.x.size(2) + 2 * c.padding[0]) * (c.x.size(3) + 2 * c.padding[1]);
  const int64_t chunk = pad ? std::clamp<int64_t>(kPaddedMost / std::max<int64_t>(1, padded), 1, n) : n;
  const at::Tensor x = dense(c.x), d = dense(delta);
  const bool last = channels_last(d);
  for (int64_t n0 = 0; n0 < n; n0 += chunk) {
    at::Tensor part = x.narrow(0, n0, std::min(chunk, n - n0));
    if (pad) part = dense(at::constant_pad_nd(part, {c.padding[1], c.padding[1], c.padding[0], c.padding[0]}));
    std::vector<int64_t> offset;
    offset.reserve(in * kh * kw);
    for (int64_t i = 0; i < in; i++)
      for (int64_t a = 0; a < kh; a++)
        for (int64_t b = 0; b < kw; b++)
          offset.push_back(i * part.stride(1) + a * c.dilation[0] * part.stride(2) +
                           b * c.dilation[1] * part.stride(3));
    const int64_t length = d.size(2) * d.size(3), size = d.size(1) * length;
    omega.add(part.size(0), {part.data_ptr<float>(), part.size(0) > 1 ? part.stride(0) : 0, in * part.stride(1)},
              offset, {d.data_ptr<float>() + n0 * size, size, last ? 1 : length, last ? d.size(1) : 1},
              {d.size(2), d.size(3), c.stride[0] * part.stride(2), c.stride[1] * part.stride(3)},
              sums.defined() ? sums.data_ptr<float>() + n0 * sums.size(1) : nullptr);
  }
}

std::map<int, Gradient> convolution(const Convolution& c, const Arrival& a) {
  std::map<int, Gradient> all;
  if (a.delta.size(0) != a.samples || a.delta.dim() != c.x.dim()) return all;
  const at::Tensor delta = a.delta;
  const bool fits = a.kernels && a.slots.count(1) && c.x.scalar_type() == at::kFloat && !c.transposed &&
                    (c.x.dim() == 3 || c.x.dim() == 4);
  at::Tensor sums;
  if (fits && a.slots.count(2)) sums = at::empty({a.samples, delta.size(1)});
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
      const Convolution flat = two_dimensional(c);
      const at::Tensor d = delta.dim() == 4 ? delta : delta.unsqueeze(2);
      const int64_t out = d.size(1) / c.groups, in = flat.weight.size(1) * flat.weight.size(2) * flat.weight.size(3);
      g.kernel.groups = c.groups;
      g.kernel.k = in;
      g.kernel.columns = out;
      g.kernel.add = [=](OuterSum& omega) { add(flat, d, sums, omega); };
      g.kernel.arrange = [shape = c.weight.sizes().vec()](const at::Tensor& w) {
        return w.transpose(1, 2).reshape(shape);
      };
    }
  }
  if (a.slots.count(2))
    all[2].each = [=](int64_t first, int64_t count) {  // after slot 1, which fills the sums
      return sums.defined() ? sums.narrow(0, first, count) : delta.narrow(0, first, count).flatten(2).sum(2);
    };
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
