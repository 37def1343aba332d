#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace mas {

/// A built-in description (man page mas.7): {"layers": [...]} and, where weights are published, what they call the last
/// layer: {"head": "fc"}. `parameters` is what stands behind the name's colon.
using ArchitectureMaker = nlohmann::json (*)(const std::string& parameters);

// Throws UsageError for wrong widths.
nlohmann::json mlp(const std::string& widths);
nlohmann::json convnet(const std::string&);
nlohmann::json lenet(const std::string&);
// With torchvision's names and shapes.
nlohmann::json alexnet(const std::string&);
nlohmann::json vgg16(const std::string&);
nlohmann::json resnet18(const std::string&);
// Three branches, of a subject, a predicate and an object, on a small trunk and on VGG-16's.
nlohmann::json facts_convnet(const std::string&);
nlohmann::json facts_vgg16(const std::string&);

// A layer each, for the descriptions.
nlohmann::json named_conv(const std::string& name, int out, int kernel, int padding = 0, int stride = 1);
nlohmann::json named_linear(const std::string& name, int64_t out);
nlohmann::json max_pool(int kernel, int stride, int padding = 0);
nlohmann::json plain(const std::string& type);  ///< one without keys

}  // namespace mas
