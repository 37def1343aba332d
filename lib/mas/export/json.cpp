#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "mas/export/formats.h"

namespace mas {
namespace {

// Each number as the shortest text that reads back to it: a float32 not with a double's digits.
template <typename T>
void append(std::string& text, const at::Tensor& flat) {
  for (int64_t i = 0; i < flat.numel(); i++)
    fmt::format_to(std::back_inserter(text), "{}{}", i ? "," : "", flat.data_ptr<T>()[i]);
}

std::string describe(const NamedTensors& tensors) {
  std::string text;
  for (const auto& [name, tensor] : tensors) {
    text += fmt::format("{}{}:{{\"shape\":[{}],\"values\":[", text.empty() ? "" : ",", nlohmann::json(name).dump(),
                        fmt::join(tensor.sizes(), ","));
    if (tensor.scalar_type() == at::kFloat)
      append<float>(text, tensor.detach().contiguous());
    else
      append<double>(text, tensor.detach().to(at::kDouble).contiguous());
    text += "]}";
  }
  return "{" + text + "}";
}

}  // namespace

std::string export_json(const ExportContent& content) {
  std::string text = "{\"schema\":\"mas-export/1\"";
  if (!content.weights.empty()) text += ",\"weights\":" + describe(content.weights);
  if (!content.importance.empty()) text += ",\"importance\":" + describe(content.importance);
  return text + "}\n";
}

}  // namespace mas
