#pragma once
#include "mas/model/layers.h"

namespace mas {

// One declaration a layer kind, for the table in layers.cpp; keys and defaults as in torch.nn (man page mas.7).
Layer build_linear(LayerSpec& spec, const Shape& input);               // out, bias
Layer build_conv2d(LayerSpec& spec, const Shape& input);               // out, kernel, stride, padding, dilation, ...
Layer build_batch_norm2d(LayerSpec& spec, const Shape& input);         // eps, momentum
Layer build_relu(LayerSpec& spec, const Shape& input);                 //
Layer build_tanh(LayerSpec& spec, const Shape& input);                 //
Layer build_sigmoid(LayerSpec& spec, const Shape& input);              //
Layer build_max_pool2d(LayerSpec& spec, const Shape& input);           // kernel, stride, padding, ceil
Layer build_avg_pool2d(LayerSpec& spec, const Shape& input);           // kernel, stride, padding
Layer build_adaptive_avg_pool2d(LayerSpec& spec, const Shape& input);  // out
Layer build_dropout(LayerSpec& spec, const Shape& input);              // p
Layer build_flatten(LayerSpec& spec, const Shape& input);              //

}  // namespace mas
