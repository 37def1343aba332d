#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mas/tensors.h"

namespace mas {

using Shape = std::vector<int64_t>;

/// A parameter or buffer of a layer before it has values.
struct Slot {
  Shape shape;
  double bound = 0;  ///< initialised from the uniform distribution on [-bound, bound], like torch.nn's layers; or
  double fill = 0;   ///< to this value, where bound and deviation are 0
  bool buffer = false;
  double deviation = 0;  ///< from the normal distribution around 0 with this standard deviation
};

/// One step of a network. Tensors are looked up by their local name ("weight") when forward runs, so that they can be
/// replaced; forward gets [n, *input] and returns [n, *output].
struct Layer {
  std::string name;                          ///< prefix of its tensors: "fc1" gives fc1.weight
  std::map<std::string, Slot> slots;         ///< local name -> what it needs
  NamedTensors tensors;                      ///< local name -> value
  Shape output;                              ///< of one sample
  std::vector<std::vector<Layer>> branches;  ///< of a container: lists of layers, which its forward runs
  std::function<at::Tensor(const Layer& self, const at::Tensor& x, bool training)> forward;

  /// A tensor that the layer may lack, such as a bias.
  c10::optional<at::Tensor> optional(const std::string& local) const;
};

/// Builds the JSON array `list` for samples of shape `input`. Layers without a name are called `path`.0, `path`.1, ...;
/// `where` goes before the layer's number in messages: "net.json: ". Throws Error.
std::vector<Layer> build_layers(const nlohmann::json& list, const Shape& input, const std::string& where,
                                const std::string& path);
/// What comes out of them, of one sample.
Shape output_shape(const std::vector<Layer>& layers, const Shape& input);
/// x [n, *input] through one after the other.
at::Tensor run_layers(const std::vector<Layer>& layers, const at::Tensor& x, bool training);

/// Calls `visit` for each layer and then those inside it. Layers: std::vector<Layer>, const or not.
template <typename Layers, typename Visit>
void for_each_layer(Layers& layers, const Visit& visit) {
  for (auto& layer : layers) {
    visit(layer);
    for (auto& branch : layer.branches) for_each_layer(branch, visit);
  }
}

/// Reads one layer's JSON object; every accessor throws Error naming the layer and the key.
class LayerSpec {
 public:
  /// `path`: the layer's name unless it has another.
  LayerSpec(const nlohmann::json& object, std::string where, const std::string& path);
  const std::string& name() const { return name_; }
  std::string text(const std::string& key, const std::string& fallback);
  int64_t integer(const std::string& key, int64_t least);                    ///< required
  int64_t integer(const std::string& key, int64_t least, int64_t fallback);  ///< optional
  /// As many sizes as there are dimensions: a number counts for all of them.
  Shape sizes(const std::string& key, size_t dimensions, int64_t least);
  Shape sizes(const std::string& key, size_t dimensions, int64_t least, const Shape& fallback);
  double number(const std::string& key, double least, double most, double fallback);
  bool boolean(const std::string& key, bool fallback);
  /// A list of whole numbers; empty where it is absent.
  Shape list(const std::string& key);
  /// A list of layers for samples of shape `input`; empty where it is absent.
  std::vector<Layer> layers(const std::string& key, const Shape& input);
  /// A list of lists of layers.
  std::vector<std::vector<Layer>> branches(const std::string& key, const Shape& input);
  /// Fails unless a sample has channels and then as many dimensions.
  void need_channels(const Shape& input, size_t dimensions) const;
  void finish() const;  ///< throws where the object has keys that nobody asked for
  [[noreturn]] void fail(const std::string& cause) const;

 private:
  const nlohmann::json* find(const std::string& key);
  const nlohmann::json* find_array(const std::string& key);
  const nlohmann::json& object_;
  std::string where_, name_;
  std::vector<std::string> asked_{"type"};
};

/// Builds a layer for samples of shape `input`; sets everything but `name`.
using LayerBuilder = std::function<Layer(LayerSpec& spec, const Shape& input)>;
/// type -> builder
using LayerBuilders = std::map<std::string, LayerBuilder>;

/// All of them; a new kind is a row in one of the files in layers/, or a file there and a line in layers.cpp.
const LayerBuilders& layer_builders();

/// Values in a sample of this shape; a double, because a product of sizes needn't fit into 64 bits.
double value_count(const Shape& shape);
/// A network with more parameters, or values anywhere, is a slip of the pen: 2^40 floats are four terabytes.
constexpr double kMostValues = 1099511627776.0;

}  // namespace mas
