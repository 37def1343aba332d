#include "mas/model/network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "mas/error.h"
#include "mas/io/model_check.h"
#include "mas/model/script_network.h"
#include "mas/random.h"
#include "mas/text.h"

namespace mas {
namespace {

Shape read_input(const nlohmann::json& arch, const std::string& name) {
  Shape input;
  const auto it = arch.find("input");
  if (it == arch.end() || !it->is_array() || it->empty()) throw Error(name, "architecture without an input shape");
  for (const auto& size : *it) {
    if (!size.is_number_integer() || size < 1 || size > (int64_t{1} << 28)) {
      throw Error(name, fmt::format("architecture with the impossible input shape {}", it->dump()));
    }
    input.push_back(size.get<int64_t>());
  }
  if (value_count(input) > kMostValues) throw Error(name, "architecture with more than 2^40 input values");
  return input;
}

at::Tensor empty_tensor(const Shape& shape, const std::string& subject) {
  try {
    return at::empty(shape, at::kFloat);
  } catch (const c10::Error&) {  // the only thing that can fail
    throw Error(subject, fmt::format("not enough memory for {} weights", shape_text(shape)));
  }
}

// The model's own head, and what the published file calls it.
std::set<std::string> reserved_names(const nlohmann::json& arch, const std::string& name) {
  const auto head = arch.find("head");
  if (head == arch.end()) return {"head"};
  if (!head->is_string()) throw Error(name, fmt::format("\"head\" must be a string, got {}", head->dump()));
  return {"head", head->get<std::string>()};
}

void check_layers(const std::vector<Layer>& layers, std::set<std::string> taken, const std::string& name) {
  double parameters = 0;
  for_each_layer(layers, [&](const Layer& layer) {
    if (layer.slots.empty()) return;
    if (!may_be_name(layer.name) || !taken.insert(layer.name).second) {
      throw Error(name,
                  fmt::format("the layer name \"{}\" is taken, reserved or can't name a tensor", harmless(layer.name)));
    }
    for (const auto& [local, slot] : layer.slots) parameters += value_count(slot.shape);
    if (parameters > kMostValues) throw Error(name, "the network has more than 2^40 parameters");
  });
}

}  // namespace

// Measured: images of one or two channels are better off as they are.
bool likes_channels_last(const Shape& input, const NamedTensors& parameters) {
  return input.size() == 3 && input[0] >= 3 &&
         std::any_of(parameters.begin(), parameters.end(), [](const auto& p) { return p.second.dim() == 4; });
}

at::Tensor made_up_samples(const Shape& input, int64_t count) {
  Shape shape = input;
  shape.insert(shape.begin(), count);
  return at::linspace(0, 0.99, c10::multiply_integers(shape)).reshape(shape);
}

Network::Network(const nlohmann::json& arch, const std::string& name) : name_(name) {
  if (!arch.is_object()) throw Error(name, "no architecture");
  input_ = read_input(arch, name);
}

LayeredNetwork::LayeredNetwork(const nlohmann::json& arch, const std::string& name) : Network(arch, name) {
  const auto layers = arch.find("layers");
  if (layers == arch.end() || !layers->is_array()) throw Error(name, "architecture without layers");
  layers_ = build_layers(*layers, input_, name + ": ", "layers");
  check_layers(layers_, reserved_names(arch, name), name);
  if (const auto own = arch.find("own_head"); own != arch.end()) {
    if (!own->is_boolean()) throw Error(name, fmt::format("\"own_head\" must be true or false, got {}", own->dump()));
    own_head_ = own->get<bool>();
  }
  takes_ids_ = !layers->empty() && layers->front().at("type") == "embedding";
  feature_size_ = static_cast<int64_t>(value_count(output_shape(layers_, input_)));
}

void LayeredNetwork::initialize(uint64_t seed) {
  for_each_layer(layers_, [&](Layer& layer) {
    for (const auto& [local, slot] : layer.slots) {
      // A stream a tensor: a layer more or less doesn't change the others' values.
      auto generator = at::detail::createCPUGenerator(derive_seed(seed, layer.name + "." + local));
      at::Tensor value = empty_tensor(slot.shape, fmt::format("{}: {}.{}", name_, layer.name, local));
      layer.tensors[local] = slot.bound > 0       ? value.uniform_(-slot.bound, slot.bound, generator)
                             : slot.deviation > 0 ? value.normal_(0, slot.deviation, generator)
                                                  : value.fill_(slot.fill);
    }
  });
  channels_last_ = likes_channels_last(input_, parameters());
}

void LayeredNetwork::load(const NamedTensors& weights, const NamedTensors& buffers) {
  assign(weights, false);
  assign(buffers, true);
  channels_last_ = likes_channels_last(input_, parameters());
}

void LayeredNetwork::assign(const NamedTensors& values, bool buffers) {
  size_t used = 0;
  for_each_layer(layers_, [&](Layer& layer) {
    for (const auto& [local, slot] : layer.slots) {
      if (slot.buffer != buffers) continue;
      const std::string full = layer.name + "." + local;
      const auto it = values.find(full);
      if (it == values.end()) throw Error(name_, fmt::format("{} is missing", full));
      if (it->second.sizes() != at::IntArrayRef(slot.shape)) {
        throw Error(name_, fmt::format("{}: shape {}, but the architecture needs {}", full,
                                       shape_text(it->second.sizes()), shape_text(slot.shape)));
      }
      if (it->second.scalar_type() != at::kFloat) {
        throw Error(name_, fmt::format("{}: {}, but this architecture needs float32", full,
                                       type_text(it->second.scalar_type())));
      }
      layer.tensors[local] = it->second;
      used++;
    }
  });
  if (used == values.size()) return;
  const auto own = collect(buffers);
  for (const auto& [full, value] : values) {
    if (!own.count(full)) throw Error(name_, fmt::format("{}: the architecture has no such tensor", full));
  }
}

at::Tensor LayeredNetwork::features(const at::Tensor& x) const {
  at::Tensor in = x.to(at::kFloat);
  if (channels_last_) in = in.contiguous(at::MemoryFormat::ChannelsLast);
  return run_layers(layers_, in, training_).flatten(1);
}

NamedTensors LayeredNetwork::collect(bool buffers) const {
  NamedTensors all;
  for_each_layer(layers_, [&](const Layer& layer) {
    for (const auto& [local, value] : layer.tensors) {
      if (layer.slots.at(local).buffer == buffers) all[layer.name + "." + local] = value;
    }
  });
  return all;
}

std::unique_ptr<Network> make_network(const nlohmann::json& arch, const std::string& script, const std::string& name) {
  if (arch.is_object() && arch.value("type", nlohmann::json()) == "torchscript") {
    return std::make_unique<ScriptNetwork>(arch, script, name);
  }
  return std::make_unique<LayeredNetwork>(arch, name);
}

}  // namespace mas
