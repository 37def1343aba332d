#include <nlohmann/json.hpp>

#include "mas/io/formats.h"

namespace mas {
namespace {

nlohmann::json describe(const NamedTensors& tensors) {
  auto object = nlohmann::json::object();
  for (const auto& [name, tensor] : tensors) {
    const auto flat = tensor.detach().to(at::kDouble).contiguous();
    // A float32 as the shortest text that reads back to it, not with a double's digits.
    auto values = nlohmann::json::array();
    const double* data = flat.data_ptr<double>();
    const bool single = tensor.scalar_type() == at::kFloat;
    for (int64_t i = 0; i < flat.numel(); i++) {
      values.push_back(single ? nlohmann::json(static_cast<float>(data[i])) : nlohmann::json(data[i]));
    }
    object[name] = {{"shape", tensor.sizes().vec()}, {"values", std::move(values)}};
  }
  return object;
}

}  // namespace

std::string export_json(const ExportContent& content) {
  nlohmann::json object{{"schema", "mas-export/1"}};
  if (!content.weights.empty()) object["weights"] = describe(content.weights);
  if (!content.importance.empty()) object["importance"] = describe(content.importance);
  return object.dump() + "\n";
}

}  // namespace mas
