#include <sstream>

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/model/architectures/architectures.h"

namespace mas {

using nlohmann::json;

json named_conv(const std::string& name, int out, int kernel, int padding, int stride) {
  json layer{{"type", "conv2d"}, {"name", name}, {"out", out}, {"kernel", kernel}};
  if (padding) layer["padding"] = padding;
  if (stride > 1) layer["stride"] = stride;
  return layer;
}

json named_linear(const std::string& name, int64_t out) { return {{"type", "linear"}, {"name", name}, {"out", out}}; }

json max_pool(int kernel, int stride, int padding) {
  json layer{{"type", "max_pool2d"}, {"kernel", kernel}};
  if (stride != kernel) layer["stride"] = stride;
  if (padding) layer["padding"] = padding;
  return layer;
}

json plain(const std::string& type) { return {{"type", type}}; }

// Fully connected with ReLU, the network of most split-MNIST studies: "mlp:400,400" in Hsu et al. 2018.
json mlp(const std::string& widths) {
  json layers = json::array({plain("flatten")});
  std::istringstream in(widths);
  int index = 0;
  for (std::string width; std::getline(in, width, ',');) {
    const bool digits =
        !width.empty() && width.size() < 8 && width.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || std::stoi(width) < 1) {
      throw UsageError("--arch", fmt::format("mlp needs widths such as mlp:400,400, got mlp:{}", widths));
    }
    layers.push_back(named_linear(fmt::format("fc{}", ++index), std::stoi(width)));
    layers.push_back(plain("relu"));
  }
  if (index == 0 || widths.back() == ',') {
    throw UsageError("--arch", fmt::format("mlp needs widths such as mlp:400,400, got mlp:{}", widths));
  }
  return {{"layers", layers}};
}

// Two convolutions and a pooling, PyTorch's MNIST example without its dropout.
json convnet(const std::string&) {
  const json relu = plain("relu");
  return {{"layers",
           {named_conv("conv1", 32, 3), relu, named_conv("conv2", 64, 3), relu, max_pool(2, 2), plain("flatten")}}};
}

// LeNet-5 (LeCun et al. 1998) as it is built today: ReLU and max pooling.
json lenet(const std::string&) {
  const json relu = plain("relu"), pool = max_pool(2, 2);
  return {{"layers",
           {named_conv("conv1", 6, 5, 2), relu, pool, named_conv("conv2", 16, 5), relu, pool, plain("flatten"),
            named_linear("fc1", 120), relu, named_linear("fc2", 84), relu}}};
}

}  // namespace mas
