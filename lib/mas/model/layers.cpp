#include "mas/model/layers.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/io/bytes.h"
#include "mas/model/layers/builders.h"
#include "mas/text.h"

namespace mas {
namespace {

// Larger sizes are slips of the pen; products of a few of them still fit into 64 bits.
constexpr int64_t kLargest = int64_t{1} << 28;

bool is_size(const nlohmann::json& value, int64_t least) {
  return value.is_number_integer() && value >= least && value <= kLargest;
}

Layer build_layer(const nlohmann::json& object, const Shape& input, const std::string& where, const std::string& path) {
  if (!object.is_object() || !object.contains("type") || !object["type"].is_string()) {
    throw Error(where, "needs an object with a \"type\"");
  }
  const auto type = object["type"].get<std::string>();
  const auto builder = layer_builders().find(type);
  if (builder == layer_builders().end()) {
    std::vector<std::string> known;
    for (const auto& entry : layer_builders()) known.push_back(entry.first);
    const std::string meant = likely(type, known);
    if (!meant.empty()) throw Error(where, fmt::format("unknown type \"{}\"; did you mean \"{}\"?", type, meant));
    throw Error(where, fmt::format("unknown type \"{}\" (known: {})", type, fmt::join(known, ", ")));
  }
  LayerSpec spec(object, fmt::format("{} ({})", where, type), path);
  Layer layer = builder->second(spec, input);
  layer.name = spec.name();
  spec.finish();
  if (value_count(layer.output) > kMostValues) throw Error(where, "gives more than 2^40 values a sample");
  return layer;
}

}  // namespace

const LayerBuilders& layer_builders() {
  static const LayerBuilders builders = [] {
    LayerBuilders all;
    for (const auto family :
         {activations, containers, convolutions, embeddings, linear_layers, normalizations, poolings, shapings}) {
      all.merge(family());
    }
    return all;
  }();
  return builders;
}

std::vector<Layer> build_layers(const nlohmann::json& list, const Shape& input, const std::string& where,
                                const std::string& path) {
  std::vector<Layer> layers;
  Shape shape = input;
  for (size_t i = 0; i < list.size(); i++) {
    layers.push_back(
        build_layer(list[i], shape, fmt::format("{}layer {}", where, i + 1), fmt::format("{}.{}", path, i)));
    shape = layers.back().output;
  }
  return layers;
}

Shape output_shape(const std::vector<Layer>& layers, const Shape& input) {
  return layers.empty() ? input : layers.back().output;
}

at::Tensor run_layers(const std::vector<Layer>& layers, const at::Tensor& x, bool training) {
  at::Tensor y = x;
  for (const auto& layer : layers) y = layer.forward(layer, y, training);
  return y;
}

double value_count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), 1.0,
                         [](double product, int64_t size) { return product * static_cast<double>(size); });
}

c10::optional<at::Tensor> Layer::optional(const std::string& local) const {
  const auto it = tensors.find(local);
  return it == tensors.end() ? c10::nullopt : c10::optional<at::Tensor>(it->second);
}

LayerSpec::LayerSpec(const nlohmann::json& object, std::string where, const std::string& path)
    : object_(object), where_(std::move(where)) {
  name_ = text("name", path);
}

void LayerSpec::fail(const std::string& cause) const { throw Error(where_, cause); }

const nlohmann::json* LayerSpec::find(const std::string& key) {
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) asked_.push_back(key);
  const auto it = object_.find(key);
  return it == object_.end() ? nullptr : &*it;
}

const nlohmann::json* LayerSpec::find_array(const std::string& key) {
  const auto* value = find(key);
  if (value && !value->is_array()) fail(fmt::format("\"{}\" must be a list, got {}", key, value->dump()));
  return value;
}

std::string LayerSpec::text(const std::string& key, const std::string& fallback) {
  const auto* value = find(key);
  if (!value) return fallback;
  if (!value->is_string()) fail(fmt::format("\"{}\" must be a string, got {}", key, value->dump()));
  return value->get<std::string>();
}

int64_t LayerSpec::integer(const std::string& key, int64_t least) {
  const auto* value = find(key);
  if (!value) {
    // PyTorch's names begin with these: kernel_size, out_channels, out_features.
    for (const auto& [other, ignored] : object_.items())
      if (starts_with(other, key)) fail(fmt::format("\"{}\" is missing; write it for \"{}\"", key, other));
    fail(fmt::format("\"{}\" is missing", key));
  }
  if (!is_size(*value, least)) {
    fail(fmt::format("\"{}\" must be a whole number from {} to {}, got {}", key, least, kLargest, value->dump()));
  }
  return value->get<int64_t>();
}

int64_t LayerSpec::integer(const std::string& key, int64_t least, int64_t fallback) {
  return find(key) ? integer(key, least) : fallback;
}

Shape LayerSpec::sizes(const std::string& key, size_t dimensions, int64_t least) {
  const auto* value = find(key);
  if (!value || !value->is_array()) return Shape(dimensions, integer(key, least));
  if (value->size() != dimensions ||
      !std::all_of(value->begin(), value->end(), [&](const auto& v) { return is_size(v, least); })) {
    fail(fmt::format("\"{}\" must be a whole number or {}, from {} on, got {}", key, dimensions, least, value->dump()));
  }
  return value->get<Shape>();
}

Shape LayerSpec::sizes(const std::string& key, size_t dimensions, int64_t least, const Shape& fallback) {
  return find(key) ? sizes(key, dimensions, least) : fallback;
}

double LayerSpec::number(const std::string& key, double least, double most, double fallback) {
  const auto* value = find(key);
  if (!value) return fallback;
  if (!value->is_number() || !(*value >= least && *value <= most)) {
    fail(fmt::format("\"{}\" must be a number from {} to {}, got {}", key, least, most, value->dump()));
  }
  return value->get<double>();
}

bool LayerSpec::boolean(const std::string& key, bool fallback) {
  const auto* value = find(key);
  if (!value) return fallback;
  if (!value->is_boolean()) fail(fmt::format("\"{}\" must be true or false, got {}", key, value->dump()));
  return value->get<bool>();
}

Shape LayerSpec::list(const std::string& key) {
  const auto* value = find_array(key);
  if (!value) return {};
  if (!std::all_of(value->begin(), value->end(), [](const auto& v) { return is_size(v, 0); })) {
    fail(fmt::format("\"{}\" must be a list of whole numbers, got {}", key, value->dump()));
  }
  return value->get<Shape>();
}

std::vector<Layer> LayerSpec::layers(const std::string& key, const Shape& input) {
  const auto* value = find_array(key);
  if (!value) return {};
  return build_layers(*value, input, fmt::format("{}: {}", where_, key == "layers" ? "" : key + " "),
                      name_ + "." + key);
}

std::vector<std::vector<Layer>> LayerSpec::branches(const std::string& key, const Shape& input) {
  const auto* value = find_array(key);
  std::vector<std::vector<Layer>> all;
  for (size_t i = 0; value && i < value->size(); i++) {
    if (!(*value)[i].is_array()) fail(fmt::format("\"{}\" must be a list of lists of layers", key));
    all.push_back(build_layers((*value)[i], input, fmt::format("{}: {} {} ", where_, key, i + 1),
                               fmt::format("{}.{}.{}", name_, key, i)));
  }
  return all;
}

void LayerSpec::need_channels(const Shape& input, size_t dimensions) const {
  static const char* const kShapes[] = {"[C]", "[C, L]", "[C, H, W]", "[C, D, H, W]"};
  if (input.size() != dimensions + 1) {
    fail(fmt::format("needs samples {}, got [{}]", kShapes[dimensions], fmt::join(input, ", ")));
  }
}

void LayerSpec::finish() const {
  for (const auto& [key, value] : object_.items()) {
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
    const std::string meant = likely(key, asked_);
    if (!meant.empty()) fail(fmt::format("unknown key \"{}\"; did you mean \"{}\"?", key, meant));
    fail(fmt::format("unknown key \"{}\" (known: {})", key, fmt::join(asked_, ", ")));
  }
}

}  // namespace mas
