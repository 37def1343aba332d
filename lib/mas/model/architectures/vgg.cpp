#include <fmt/format.h>

#include <cmath>

#include "mas/model/architectures/architectures.h"

namespace mas {
namespace {

using nlohmann::json;

// torchvision's initial values: He's normal over the fan out for convolutions, 0.01 for linear layers, biases 0.
json conv3x3(int index, int out) {
  json layer = named_conv(fmt::format("features.{}", index), out, 3, 1);
  layer["std"] = std::sqrt(2.0 / (out * 9));
  return layer;
}

json wide_linear(int index) {
  json layer = named_linear(fmt::format("classifier.{}", index), 4096);
  layer["std"] = 0.01;
  return layer;
}

}  // namespace

// Simonyan & Zisserman 2015, configuration D, as torchvision has it.
json vgg16(const std::string&) {
  constexpr int kPool = 0;
  json layers;
  int index = 0;  // of torchvision's Sequential, whose ReLUs and poolings count
  for (const int channels :
       {64, 64, kPool, 128, 128, kPool, 256, 256, 256, kPool, 512, 512, 512, kPool, 512, 512, 512, kPool}) {
    if (channels == kPool) {
      layers.push_back(max_pool(2, 2));
      index++;
      continue;
    }
    layers.push_back(conv3x3(index, channels));
    layers.push_back(plain("relu"));
    index += 2;
  }
  layers.push_back({{"type", "adaptive_avg_pool2d"}, {"out", 7}});
  layers.push_back(plain("flatten"));
  for (const int linear : {0, 3}) {
    layers.push_back(wide_linear(linear));
    layers.push_back(plain("relu"));
    layers.push_back(plain("dropout"));
  }
  return {{"head", "classifier.6"}, {"layers", layers}};
}

}  // namespace mas
