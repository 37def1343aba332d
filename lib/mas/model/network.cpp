#include "mas/model/network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "mas/error.h"
#include "mas/io/model_check.h"
#include "mas/model/script_network.h"
#include "mas/random.h"
#include "mas/text.h"

namespace mas {
namespace {

// A model of more parameters or features is a slip of the pen: 2^40 floats are four terabytes. Below it, products of
// sizes fit into 64 bits.
constexpr double kMostValues = 1099511627776.0;

double values_of(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), 1.0,
                         [](double product, int64_t size) { return product * static_cast<double>(size); });
}

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
  if (values_of(input) > kMostValues) throw Error(name, "architecture with more than 2^40 input values");
  return input;
}

at::Tensor empty_tensor(const Shape& shape, const std::string& subject) {
  try {
    return at::empty(shape, at::kFloat);
  } catch (const c10::Error&) {  // the only thing that can fail
    throw Error(subject, fmt::format("not enough memory for {} weights", shape_text(shape)));
  }
}

}  // namespace

Network::Network(const nlohmann::json& arch, const std::string& name) : name_(name) {
  if (!arch.is_object()) throw Error(name, "no architecture");
  input_ = read_input(arch, name);
}

LayeredNetwork::LayeredNetwork(const nlohmann::json& arch, const std::string& name) : Network(arch, name) {
  const auto layers = arch.find("layers");
  if (layers == arch.end() || !layers->is_array()) throw Error(name, "architecture without layers");
  Shape shape = input_;
  std::set<std::string> names;
  double parameters = 0;
  for (size_t i = 0; i < layers->size(); i++) {
    const auto& object = (*layers)[i];
    const std::string where = fmt::format("{}: layer {}", name, i + 1);
    if (!object.is_object() || !object.contains("type") || !object["type"].is_string()) {
      throw Error(where, "needs an object with a \"type\"");
    }
    const auto type = object["type"].get<std::string>();
    const auto builder = layer_builders().find(type);
    if (builder == layer_builders().end()) {
      std::vector<std::string> known;
      for (const auto& entry : layer_builders()) known.push_back(entry.first);
      throw Error(where, fmt::format("unknown type \"{}\" (known: {})", type, fmt::join(known, ", ")));
    }
    LayerSpec spec(object, fmt::format("{} ({})", where, type));
    Layer layer = builder->second(spec, shape);
    layer.name = spec.text("name", fmt::format("layers.{}", i));
    spec.finish();
    if (!layer.slots.empty() &&
        (!may_be_name(layer.name) || layer.name == "head" || !names.insert(layer.name).second)) {
      throw Error(where,
                  fmt::format("the name \"{}\" is taken, reserved or can't name a tensor", harmless(layer.name)));
    }
    for (const auto& [local, slot] : layer.slots) parameters += values_of(slot.shape);
    if (parameters > kMostValues) throw Error(where, "the network has more than 2^40 parameters");
    if (values_of(layer.output) > kMostValues) throw Error(where, "gives more than 2^40 values a sample");
    shape = layer.output;
    layers_.push_back(std::move(layer));
  }
  feature_size_ = static_cast<int64_t>(values_of(shape));
}

void LayeredNetwork::initialize(uint64_t seed) {
  for (auto& layer : layers_) {
    for (const auto& [local, slot] : layer.slots) {
      // A stream a tensor: a layer more or less doesn't change the others' values.
      auto generator = at::detail::createCPUGenerator(derive_seed(seed, layer.name + "." + local));
      at::Tensor value = empty_tensor(slot.shape, fmt::format("{}: {}.{}", name_, layer.name, local));
      layer.tensors[local] =
          slot.bound > 0 ? value.uniform_(-slot.bound, slot.bound, generator) : value.fill_(slot.fill);
    }
  }
}

void LayeredNetwork::load(const NamedTensors& weights, const NamedTensors& buffers) {
  assign(weights, false);
  assign(buffers, true);
}

void LayeredNetwork::assign(const NamedTensors& values, bool buffers) {
  size_t used = 0;
  for (auto& layer : layers_) {
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
  }
  if (used == values.size()) return;
  const auto own = collect(buffers);
  for (const auto& [full, value] : values) {
    if (!own.count(full)) throw Error(name_, fmt::format("{}: the architecture has no such tensor", full));
  }
}

at::Tensor LayeredNetwork::features(const at::Tensor& x) const {
  at::Tensor y = x.to(at::kFloat);
  for (const auto& layer : layers_) y = layer.forward(layer, y, training_);
  return y.flatten(1);
}

NamedTensors LayeredNetwork::collect(bool buffers) const {
  NamedTensors all;
  for (const auto& layer : layers_) {
    for (const auto& [local, value] : layer.tensors) {
      if (layer.slots.at(local).buffer == buffers) all[layer.name + "." + local] = value;
    }
  }
  return all;
}

std::unique_ptr<Network> make_network(const nlohmann::json& arch, const std::string& script, const std::string& name) {
  if (arch.is_object() && arch.value("type", nlohmann::json()) == "torchscript") {
    return std::make_unique<ScriptNetwork>(arch, script, name);
  }
  return std::make_unique<LayeredNetwork>(arch, name);
}

}  // namespace mas
