#include "mas/gradients.h"

#include "unit/doctest_torch.h"

using namespace mas;

TEST_CASE("tensors ask for gradients as long as the guard lives, also where something is thrown") {
  const NamedTensors tensors{{"a", torch::ones({2})}, {"b", torch::ones({3})}};
  try {
    const GradientsOn on(tensors);
    for (const auto& [name, value] : tensors) CHECK(value.requires_grad());
    throw 1;
  } catch (int) {
  }
  for (const auto& [name, value] : tensors) CHECK_FALSE(value.requires_grad());
}
