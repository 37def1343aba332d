#include "mas/io/state_dict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/io/bytes.h"
#include "mas/io/likely_content.h"
#include "mas/io/model_file.h"
#include "mas/io/safetensors.h"
#include "mas/io/torch_file.h"
#include "mas/text.h"

namespace mas {
namespace {

StateDict from_model(const std::string& bytes, const std::string& name) {
  ModelFile model = parse_model(bytes, name);
  StateDict result;
  result.tensors = std::move(model.weights);
  result.tensors.merge(model.buffers);
  if (model.heads.size() == 1) {
    for (const auto& [local, value] : model.heads.begin()->second) result.tensors["head." + local] = value;
  } else if (!model.heads.empty()) {
    result.notices.push_back(fmt::format("the heads of its {} tasks are left out", model.heads.size()));
  }
  return result;
}

StateDict parse_any(const std::string& bytes, const std::string& name) {
  if (starts_with(bytes, "PK\x03\x04")) return parse_torch_zip(bytes, name);
  if (is_torch_legacy(bytes)) return parse_torch_legacy(bytes, name);
  if (is_safetensors(bytes)) return parse_safetensors(bytes, name);
  if (starts_with(bytes, "mas-model ") || likely_content(bytes).what == "an HDF5 file") return from_model(bytes, name);
  if (bytes.empty()) throw Error(name, "empty; did the command that writes it fail?");
  throw Error(name, mistake(bytes, "weights (safetensors, a state dict of torch.save, or a model file)"));
}

// torch.nn.DataParallel holds the network as a module of its own.
void strip_module(StateDict& dict) {
  const std::string prefix = "module.";
  const bool all =
      !dict.tensors.empty() && std::all_of(dict.tensors.begin(), dict.tensors.end(),
                                           [&](const auto& entry) { return starts_with(entry.first, prefix); });
  if (!all) return;
  NamedTensors stripped;
  for (auto& [name, value] : dict.tensors) stripped[name.substr(prefix.size())] = std::move(value);
  dict.tensors = std::move(stripped);
  dict.notices.push_back("\"module.\" taken off all names");
}

}  // namespace

at::Tensor tensor_of(std::string_view bytes, at::ScalarType type) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(bytes.size() / c10::elementSize(type))}, type);
  if (!bytes.empty()) std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

StateDict parse_state_dict(const std::string& bytes, const std::string& name) {
  StateDict dict = parse_any(bytes, name);
  if (dict.tensors.empty()) throw Error(name, "holds no weights");
  strip_module(dict);
  for (const auto& [tensor, value] : dict.tensors) {
    if (printable(tensor, tensor.size()) != tensor) {
      throw Error(name, fmt::format("a tensor's name has control characters: {}", printable(tensor)));
    }
  }
  return dict;
}

StateDict read_state_dict(const std::string& path) { return parse_state_dict(read_input(path), input_name(path)); }

}  // namespace mas
