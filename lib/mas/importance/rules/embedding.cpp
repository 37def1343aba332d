// Embedding: a sample's gradient has the rows of its own tokens only, those of equal tokens added.
#include <torch/csrc/autograd/generated/Functions.h>

#include "mas/importance/rules/rule.h"

namespace mas {
namespace {

using torch::autograd::generated::EmbeddingBackward0;

std::map<int, Gradient> embedding(const Arrival& a) {
  auto& node = static_cast<EmbeddingBackward0&>(a.node);
  std::map<int, Gradient> all;
  if (!a.slots.count(0) || node.scale_grad_by_freq) return all;  // the batch's frequencies couple its samples
  const auto indices = saved(node, node.indices_).to(at::kLong);
  const auto table = input_shape(node, 0);
  const auto index = a.rows(indices, 0);
  auto values = a.rows(a.delta, 1);
  if (!index.defined() || !values.defined()) return all;
  if (node.padding_idx >= 0) values = values * index.ne(node.padding_idx).unsqueeze(2);
  auto& g = all[0];
  g.rows = {index, values};
  g.each = [=](int64_t first, int64_t count) {
    const auto i = index.narrow(0, first, count), v = values.narrow(0, first, count);
    const auto sample = at::arange(count, i.options()).unsqueeze(1);
    return at::zeros({count, table[0], table[1]}, v.options())
        .view({count * table[0], table[1]})
        .index_add_(0, (sample * table[0] + i).flatten(), v.flatten(0, 1))
        .view({count, table[0], table[1]});
  };
  return all;
}

}  // namespace

const Rule kEmbedding{"embedding", embedding};

}  // namespace mas
