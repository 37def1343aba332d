#include "networks.h"

#include <torch/torch.h>

#include <stdexcept>

namespace mas::bench {
namespace {

namespace nn = torch::nn;

nn::Conv2d conv(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1, int64_t padding = 0, bool bias = true) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(padding).bias(bias));
}
nn::ReLU relu() { return nn::ReLU(nn::ReLUOptions(true)); }
nn::MaxPool2d pool(int64_t kernel, int64_t stride, int64_t padding = 0) {
  return nn::MaxPool2d(nn::MaxPool2dOptions(kernel).stride(stride).padding(padding));
}

nn::Sequential mlp() {
  return nn::Sequential(nn::Flatten(), nn::Linear(784, 400), relu(), nn::Linear(400, 400), relu(), nn::Linear(400, 10));
}

nn::Sequential convnet() {
  return nn::Sequential(conv(1, 32, 3), relu(), conv(32, 64, 3), relu(), pool(2, 2), nn::Flatten(),
                        nn::Linear(9216, 10));
}

nn::Sequential lenet() {
  return nn::Sequential(conv(1, 6, 5, 1, 2), relu(), pool(2, 2), conv(6, 16, 5), relu(), pool(2, 2), nn::Flatten(),
                        nn::Linear(400, 120), relu(), nn::Linear(120, 84), relu(), nn::Linear(84, 10));
}

nn::Sequential alexnet() {
  return nn::Sequential(conv(3, 64, 11, 4, 2), relu(), pool(3, 2), conv(64, 192, 5, 1, 2), relu(), pool(3, 2),
                        conv(192, 384, 3, 1, 1), relu(), conv(384, 256, 3, 1, 1), relu(), conv(256, 256, 3, 1, 1),
                        relu(), pool(3, 2), nn::Flatten(), nn::Linear(9216, 4096), relu(), nn::Linear(4096, 4096),
                        relu(), nn::Linear(4096, 1000));
}

nn::Sequential vgg16() {
  nn::Sequential net;
  int64_t in = 3;
  for (const int64_t out : {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0}) {
    if (out == 0) {
      net->push_back(pool(2, 2));
      continue;
    }
    net->push_back(conv(in, out, 3, 1, 1));
    net->push_back(relu());
    in = out;
  }
  net->push_back(nn::Flatten());
  for (const int64_t features : {25088, 4096}) {
    net->push_back(nn::Linear(features, 4096));
    net->push_back(relu());
  }
  net->push_back(nn::Linear(4096, 1000));
  return net;
}

struct BlockImpl : nn::Module {
  BlockImpl(int64_t in, int64_t out, int64_t stride)
      : body(conv(in, out, 3, stride, 1, false), nn::BatchNorm2d(out), relu(), conv(out, out, 3, 1, 1, false),
             nn::BatchNorm2d(out)) {
    if (stride != 1 || in != out) shortcut = nn::Sequential(conv(in, out, 1, stride, 0, false), nn::BatchNorm2d(out));
    register_module("body", body);
    if (shortcut) register_module("shortcut", shortcut);
  }
  at::Tensor forward(const at::Tensor& x) { return (body->forward(x) + (shortcut ? shortcut->forward(x) : x)).relu_(); }
  nn::Sequential body, shortcut = nullptr;
};
TORCH_MODULE(Block);

nn::Sequential resnet18() {
  return nn::Sequential(conv(3, 64, 7, 2, 3, false), nn::BatchNorm2d(64), relu(), pool(3, 2, 1), Block(64, 64, 1),
                        Block(64, 64, 1), Block(64, 128, 2), Block(128, 128, 1), Block(128, 256, 2), Block(256, 256, 1),
                        Block(256, 512, 2), Block(512, 512, 1), nn::AdaptiveAvgPool2d(1), nn::Flatten(),
                        nn::Linear(512, 1000));
}

constexpr int64_t kTokens = 64, kKinds = 1000, kWidth = 256;

struct TransformerImpl : nn::Module {
  TransformerImpl()
      : embedding(kKinds, kWidth),
        encoder(nn::TransformerEncoderLayer(nn::TransformerEncoderLayerOptions(kWidth, 4).dim_feedforward(1024)), 4),
        head(kWidth, 10) {
    register_module("embedding", embedding);
    register_module("encoder", encoder);
    register_module("head", head);
    position = register_parameter("position", torch::randn({kTokens, 1, kWidth}));
  }
  at::Tensor forward(const at::Tensor& ids) {  // LibTorch's encoder takes the steps first
    return head(encoder(embedding(ids.t()) + position).mean(0));
  }
  nn::Embedding embedding;
  nn::TransformerEncoder encoder;
  nn::Linear head;
  at::Tensor position;
};
TORCH_MODULE(Transformer);

template <class Net>
Example make(Net net, const at::Tensor& x, int64_t classes) {
  net->eval();
  Example e{[net](const at::Tensor& t) mutable { return net->forward(t); }, {}, x, {}, classes};
  for (auto& p : net->named_parameters()) e.parameters[p.key()] = p.value();
  e.labels = torch::randint(0, classes, {x.size(0)});
  return e;
}

}  // namespace

Example example(const std::string& name, int64_t batch) {
  if (name == "transformer") return make(Transformer(), torch::randint(0, kKinds, {batch, kTokens}), 10);
  if (name == "mlp" || name == "convnet" || name == "lenet") {
    const auto net = name == "mlp" ? mlp() : name == "convnet" ? convnet() : lenet();
    return make(net, torch::rand({batch, 1, 28, 28}), 10);
  }
  if (name != "alexnet" && name != "vgg16" && name != "resnet18") throw std::invalid_argument("no network " + name);
  const auto net = name == "alexnet" ? alexnet() : name == "vgg16" ? vgg16() : resnet18();
  return make(net, torch::randn({batch, 3, 224, 224}), 1000);
}

}  // namespace mas::bench
