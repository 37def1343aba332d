#include <fmt/format.h>

#include <iterator>

#include "mas/export/formats.h"
#include "mas/text.h"

namespace mas {

std::string export_csv(const ExportContent& content) {
  const bool weights = !content.weights.empty(), importance = !content.importance.empty();
  std::string csv = fmt::format("name,index{}{}\n", weights ? ",weight" : "", importance ? ",importance" : "");
  auto out = std::back_inserter(csv);
  for (const auto& [name, tensor] : weights ? content.weights : content.importance) {
    const auto flat = tensor.detach().to(at::kDouble).contiguous();
    const auto found = content.importance.find(name);
    at::Tensor omega;
    if (weights && found != content.importance.end()) omega = found->second.to(at::kDouble).contiguous();
    const std::string field = csv_field(name);
    for (int64_t i = 0; i < flat.numel(); i++) {
      fmt::format_to(out, "{},{},{:.9g}", field, i, flat.data_ptr<double>()[i]);
      if (omega.defined())
        fmt::format_to(out, ",{:.9g}", omega.data_ptr<double>()[i]);
      else if (weights && importance)
        csv += ',';
      csv += '\n';
    }
  }
  return csv;
}

}  // namespace mas
