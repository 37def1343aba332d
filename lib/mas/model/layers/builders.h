#pragma once
#include "mas/model/layers.h"

namespace mas {

// One function a family of layers, for the table in layers.cpp; keys and defaults as in torch.nn (man page mas.7).
LayerBuilders activations();
LayerBuilders containers();
LayerBuilders convolutions();
LayerBuilders embeddings();
LayerBuilders linear_layers();
LayerBuilders normalizations();
LayerBuilders poolings();
LayerBuilders shapings();

/// Output length of a window that slides over `size` (convolution, pooling); 0 or less where it doesn't fit.
int64_t window_positions(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, bool ceil);

/// The slots "weight" and, unless the spec says otherwise, "bias" (of `out` values), as torch.nn initialises linear and
/// convolutional layers; or normal with the spec's "std", and the bias 0.
void add_weights(LayerSpec& spec, Layer& layer, const Shape& weight, int64_t out);

}  // namespace mas
