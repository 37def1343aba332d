#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <string>

#include "mas/model/network.h"

namespace mas::bench {

/// A network as one writes it with LibTorch, without anything of ours, and random samples for it.
struct Example {
  std::function<at::Tensor(const at::Tensor& x)> forward;  ///< [n, classes]; in eval mode
  NamedTensors parameters;
  at::Tensor x, labels;  ///< [n, ...], int64 [n]
  int64_t classes;

  /// Whether they are images that our networks turn to channels-last.
  bool images() const { return likes_channels_last(x.sizes().slice(1).vec(), parameters); }
};

/// mlp (784-400-400-10), convnet, lenet on 1 x 28 x 28; alexnet, vgg16, resnet18 on 3 x 224 x 224, 1,000 classes;
/// transformer: 4 encoder layers of width 256 with 4 heads over 64 tokens of 1,000 kinds, 10 classes. Throws
/// std::invalid_argument.
Example example(const std::string& name, int64_t batch);

}  // namespace mas::bench
