#pragma once
#include <string>

#include <nlohmann/json.hpp>

#include "mas/model/layers.h"

namespace mas {

/// The description of a network, as it stands in the model file's attribute `arch`:
///   {"name": "mlp:400,400", "input": [1, 28, 28], "layers": [{"type": "linear", "name": "fc1", "out": 400}, ...]}
/// The layers end with the features; a linear head on them gives the outputs (model/model.h). "head" is what published
/// weights call that layer, where there are some. With "own_head": true the last layer's outputs are the network's, and
/// the only scenario with another head on them is task.
///
/// `text` is a built-in name, "mlp:H1,H2,...", "convnet", "lenet", "alexnet", "vgg16", "resnet18", "facts" or
/// "facts-vgg16" (architectures/), or the path of a JSON file with "layers" and perhaps "input" and "head". `input` is
/// the shape of one sample of the data. Throws UsageError for a wrong name and Error naming the file for a wrong
/// description.
nlohmann::json make_architecture(const std::string& text, const Shape& input);

/// The same with so many outputs of its own: a linear layer behind the last one or, where that is a "concat" of
/// three branches, one for each, of which each gives a third. A description that has outputs of its own stays as it is.
/// "new" names the layers that no published weights have (pretrained.h).
nlohmann::json with_own_outputs(nlohmann::json arch, int64_t outputs);

}  // namespace mas
