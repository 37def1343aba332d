#include "mas/model/layers.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/model/layers/builders.h"

namespace mas {
namespace {

// Larger sizes are slips of the pen; products of a few of them still fit into 64 bits.
constexpr int64_t kLargest = int64_t{1} << 28;

}  // namespace

const std::map<std::string, LayerBuilder>& layer_builders() {
  static const std::map<std::string, LayerBuilder> builders{
      {"linear", build_linear},
      {"conv2d", build_conv2d},
      {"batch_norm2d", build_batch_norm2d},
      {"relu", build_relu},
      {"tanh", build_tanh},
      {"sigmoid", build_sigmoid},
      {"max_pool2d", build_max_pool2d},
      {"avg_pool2d", build_avg_pool2d},
      {"adaptive_avg_pool2d", build_adaptive_avg_pool2d},
      {"dropout", build_dropout},
      {"flatten", build_flatten},
  };
  return builders;
}

int64_t window_positions(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, bool ceil) {
  const int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
  if (room < 0) return 0;
  int64_t positions = (room + (ceil ? stride - 1 : 0)) / stride + 1;
  // A window that would start in the right-hand padding is left out, as torch does.
  if (ceil && (positions - 1) * stride >= size + padding) --positions;
  return positions;
}

LayerSpec::LayerSpec(const nlohmann::json& object, std::string where) : object_(object), where_(std::move(where)) {}

void LayerSpec::fail(const std::string& cause) const { throw Error(where_, cause); }

const nlohmann::json* LayerSpec::find(const std::string& key) {
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) asked_.push_back(key);
  const auto it = object_.find(key);
  return it == object_.end() ? nullptr : &*it;
}

std::string LayerSpec::text(const std::string& key, const std::string& fallback) {
  const auto* value = find(key);
  if (!value) return fallback;
  if (!value->is_string()) fail(fmt::format("\"{}\" must be a string, got {}", key, value->dump()));
  return value->get<std::string>();
}

int64_t LayerSpec::integer(const std::string& key, int64_t least) {
  const auto* value = find(key);
  if (!value) fail(fmt::format("\"{}\" is missing", key));
  if (!value->is_number_integer() || *value < least || *value > kLargest) {
    fail(fmt::format("\"{}\" must be a whole number from {} to {}, got {}", key, least, kLargest, value->dump()));
  }
  return value->get<int64_t>();
}

int64_t LayerSpec::integer(const std::string& key, int64_t least, int64_t fallback) {
  return object_.contains(key) ? integer(key, least) : (asked_.push_back(key), fallback);
}

std::array<int64_t, 2> LayerSpec::pair(const std::string& key, int64_t least) {
  const auto* value = find(key);
  if (!value || !value->is_array()) {
    const int64_t both = integer(key, least);
    return {both, both};
  }
  const auto fits = [&](const nlohmann::json& v) { return v.is_number_integer() && v >= least && v <= kLargest; };
  if (value->size() != 2 || !fits((*value)[0]) || !fits((*value)[1])) {
    fail(fmt::format("\"{}\" must be a whole number or two, from {} on, got {}", key, least, value->dump()));
  }
  return {(*value)[0].get<int64_t>(), (*value)[1].get<int64_t>()};
}

std::array<int64_t, 2> LayerSpec::pair(const std::string& key, int64_t least, std::array<int64_t, 2> fallback) {
  return object_.contains(key) ? pair(key, least) : (asked_.push_back(key), fallback);
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

void LayerSpec::finish() const {
  for (const auto& [key, value] : object_.items()) {
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
    fail(fmt::format("unknown key \"{}\" (known: {})", key, fmt::join(asked_, ", ")));
  }
}

}  // namespace mas
