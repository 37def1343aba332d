#include "mas/io/npz.h"
#include "mas/export/formats.h"

namespace mas {

std::string export_npz(const ExportContent& content) {
  if (!content.both) return serialize_npz(content.weights.empty() ? content.importance : content.weights);
  NamedTensors all;
  for (const auto& [name, tensor] : content.weights) all["weights/" + name] = tensor;
  for (const auto& [name, tensor] : content.importance) all["importance/" + name] = tensor;
  return serialize_npz(all);
}

}  // namespace mas
