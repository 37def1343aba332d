#include <unordered_map>

#include "mas/importance/rules/rule.h"

namespace mas {

const Rule* find_rule(const torch::autograd::Node& node) {
  static const std::unordered_map<std::string, const Rule*> table{
      {"AddmmBackward0", &kLinearAddmm},
      {"MmBackward0", &kLinearMm},
      {"MvBackward0", &kLinearMv},
      {"BmmBackward0", &kLinearBmm},
      {"ConvolutionBackward0", &kConvolution0},
      {"ConvolutionBackward1", &kConvolution1},  // of traced modules
      {"NativeBatchNormBackward0", &kBatchNorm},
      {"NativeGroupNormBackward0", &kGroupNorm},
      {"NativeLayerNormBackward0", &kLayerNorm},
      {"PreluBackward0", &kPrelu},
      {"EmbeddingBackward0", &kEmbedding},
      {"AddBackward0", &kAdd},
      {"SubBackward0", &kSubtract},
      {"MulBackward0", &kMultiply},
      {"DivBackward0", &kDivide},
      {"ExpandBackward0", &kExpand},
      {"RepeatBackward0", &kRepeat},
  };
  const auto found = table.find(node.name());
  return found == table.end() ? nullptr : found->second;
}

bool channels_innermost(const at::Tensor& t) {
  return !t.is_contiguous() && ((t.dim() == 4 && t.is_contiguous(at::MemoryFormat::ChannelsLast)) ||
                                (t.dim() == 5 && t.is_contiguous(at::MemoryFormat::ChannelsLast3d)));
}

at::Tensor by_sample(const at::Tensor& rows, int64_t samples, Order order) {
  const int64_t n = samples;
  if (order == Order::kSecond) return rows.dim() > 1 && rows.size(1) == n ? rows.transpose(0, 1) : at::Tensor();
  if (rows.dim() == 0 || rows.size(0) % n || rows.size(0) == 0) return {};
  std::vector<int64_t> shape = rows.sizes().vec();
  const int64_t each = shape[0] / n;
  shape[0] = order == Order::kFirst ? n : each;
  shape.insert(shape.begin() + 1, order == Order::kFirst ? each : n);
  const at::Tensor apart = rows.reshape(shape);
  return order == Order::kFirst ? apart : apart.transpose(0, 1);
}

at::Tensor Arrival::rows(const at::Tensor& tensor, int64_t kept) const {
  const at::Tensor apart = by_sample(tensor, samples, order);
  return apart.defined() && apart.dim() >= 2 + kept ? apart.flatten(1, apart.dim() - 1 - kept) : at::Tensor();
}

at::Tensor reshape_each(const at::Tensor& each, const std::vector<int64_t>& shape) {
  std::vector<int64_t> all{each.size(0)};
  all.insert(all.end(), shape.begin(), shape.end());
  return each.reshape(all);
}

std::vector<int64_t> input_shape(const torch::autograd::Node& node, int slot) {
  const auto& edge = node.next_edge(slot);
  return output_shape(*edge.function, int(edge.input_nr));
}

}  // namespace mas
