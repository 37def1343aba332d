#pragma once
#include <sstream>
#include <string>

#include "unit/doctest_torch.h"

#include <torch/script.h>

namespace mas::test {

inline std::string saved(const torch::jit::Module& module) {
  std::ostringstream out;
  module.save(out);
  return out.str();
}

/// fc1 (3 to 5), ReLU, fc2 (5 to 4); with submodules, as torch.jit.script makes them.
inline torch::jit::Module two_layers(at::ScalarType type = at::kFloat) {
  torch::jit::Module net("Net");
  net.register_attribute("training", c10::BoolType::get(), true);
  for (const auto& [name, out, in] : {std::tuple("fc1", 5, 3), std::tuple("fc2", 4, 5)}) {
    torch::jit::Module layer(std::string("Linear_") + name);
    layer.register_parameter("weight", at::randn({out, in}).to(type).requires_grad_(), false);
    layer.register_parameter("bias", at::randn({out}).to(type).requires_grad_(), false);
    layer.define("def forward(self, x):\n  return torch.linear(x, self.weight, self.bias)\n");
    net.register_module(name, layer);
  }
  net.define("def forward(self, x):\n  return self.fc2.forward(torch.relu(self.fc1.forward(x)))\n");
  return net;
}

}  // namespace mas::test
