#include <fmt/format.h>

#include "mas/error.h"
#include "mas/model/layers/builders.h"

namespace mas {
namespace {

// Rows of a table by number, the token ids of the data. They arrive as floats, which hold them exactly up to 2^24.
Layer embedding(LayerSpec& spec, const Shape& input) {
  Layer layer;
  const int64_t count = spec.integer("count", 1), out = spec.integer("out", 1);
  layer.slots["weight"] = {{count, out}, 0, 0, false, 1};
  layer.output = input;
  layer.output.push_back(out);
  layer.forward = [count](const Layer& self, const at::Tensor& x, bool) {
    const at::Tensor ids = x.detach().to(at::kLong);
    if (ids.numel() > 0 && (ids.min().item<int64_t>() < 0 || ids.max().item<int64_t>() >= count)) {
      throw Error(self.name, fmt::format("an embedding of {} rows, but the data have numbers from {} to {}", count,
                                         ids.min().item<int64_t>(), ids.max().item<int64_t>()));
    }
    return at::embedding(self.tensors.at("weight"), ids);
  };
  return layer;
}

}  // namespace

LayerBuilders embeddings() { return {{"embedding", embedding}}; }

}  // namespace mas
