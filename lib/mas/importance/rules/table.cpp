#include <unordered_map>

#include "mas/importance/rules/rule.h"

namespace mas {

const Rule* find_rule(const torch::autograd::Node& node) {
  static const std::unordered_map<std::string, const Rule*> table{
      {"AddmmBackward0", &kLinearAddmm},
      {"MmBackward0", &kLinearMm},
      {"ConvolutionBackward0", &kConvolution0},
      {"ConvolutionBackward1", &kConvolution1},  // of traced modules
      {"NativeBatchNormBackward0", &kBatchNorm},
      {"NativeLayerNormBackward0", &kLayerNorm},
      {"AddBackward0", &kAdd},
      {"SubBackward0", &kSubtract},
      {"MulBackward0", &kMultiply},
  };
  const auto found = table.find(node.name());
  return found == table.end() ? nullptr : found->second;
}

std::vector<int64_t> input_shape(const torch::autograd::Node& node, int slot) {
  const auto& edge = node.next_edge(slot);
  return output_shape(*edge.function, int(edge.input_nr));
}

}  // namespace mas
