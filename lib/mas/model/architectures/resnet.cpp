#include <fmt/format.h>

#include <cmath>

#include "mas/model/architectures/architectures.h"

namespace mas {
namespace {

using nlohmann::json;

// Without bias, and with torchvision's initial values: He's normal over the fan out.
json conv(const std::string& name, int out, int kernel, int padding, int stride) {
  json layer = named_conv(name, out, kernel, padding, stride);
  layer["bias"] = false;
  layer["std"] = std::sqrt(2.0 / (out * kernel * kernel));
  return layer;
}

json norm(const std::string& name) { return {{"type", "batch_norm2d"}, {"name", name}}; }

json basic_block(const std::string& name, int out, int stride, bool downsample) {
  json block{{"type", "residual"},
             {"name", name},
             {"layers",
              {conv(name + ".conv1", out, 3, 1, stride), norm(name + ".bn1"), plain("relu"),
               conv(name + ".conv2", out, 3, 1, 1), norm(name + ".bn2")}}};
  if (downsample) {
    block["shortcut"] = {conv(name + ".downsample.0", out, 1, 0, stride), norm(name + ".downsample.1")};
  }
  return block;
}

}  // namespace

// He et al. 2016, as torchvision has it.
json resnet18(const std::string&) {
  json layers{conv("conv1", 64, 7, 3, 2), norm("bn1"), plain("relu"), max_pool(3, 2, 1)};
  for (int stage = 0; stage < 4; stage++) {
    for (int block = 0; block < 2; block++) {
      const bool smaller = stage > 0 && block == 0;
      layers.push_back(basic_block(fmt::format("layer{}.{}", stage + 1, block), 64 << stage, smaller ? 2 : 1, smaller));
      layers.push_back(plain("relu"));
    }
  }
  layers.push_back({{"type", "adaptive_avg_pool2d"}, {"out", 1}});
  layers.push_back(plain("flatten"));
  return {{"head", "fc"}, {"layers", layers}};
}

}  // namespace mas
