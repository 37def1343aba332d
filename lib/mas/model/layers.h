#pragma once
#include <array>
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
  double fill = 0;   ///< to this value, where bound is 0
  bool buffer = false;
};

/// One step of a network. Tensors are looked up by their local name ("weight") when forward runs, so that they can be
/// replaced; forward gets [n, *input] and returns [n, *output].
struct Layer {
  std::string name;                   ///< prefix of its tensors: "fc1" gives fc1.weight
  std::map<std::string, Slot> slots;  ///< local name -> what it needs
  NamedTensors tensors;               ///< local name -> value
  Shape output;                       ///< of one sample
  std::function<at::Tensor(const Layer& self, const at::Tensor& x, bool training)> forward;
};

/// Reads one layer's JSON object; every accessor throws Error naming the layer and the key.
class LayerSpec {
 public:
  LayerSpec(const nlohmann::json& object, std::string where);
  std::string text(const std::string& key, const std::string& fallback);
  int64_t integer(const std::string& key, int64_t least);                    ///< required
  int64_t integer(const std::string& key, int64_t least, int64_t fallback);  ///< optional
  /// A pair for height and width: a number counts for both.
  std::array<int64_t, 2> pair(const std::string& key, int64_t least);
  std::array<int64_t, 2> pair(const std::string& key, int64_t least, std::array<int64_t, 2> fallback);
  double number(const std::string& key, double least, double most, double fallback);
  bool boolean(const std::string& key, bool fallback);
  void finish() const;  ///< throws where the object has keys that nobody asked for
  [[noreturn]] void fail(const std::string& cause) const;

 private:
  const nlohmann::json* find(const std::string& key);
  const nlohmann::json& object_;
  std::string where_;
  std::vector<std::string> asked_{"type", "name"};
};

/// Builds a layer for samples of shape `input`; sets everything but `name`.
using LayerBuilder = Layer (*)(LayerSpec& spec, const Shape& input);

/// type -> builder; a new layer kind is a file in layers/ and a line in this table.
const std::map<std::string, LayerBuilder>& layer_builders();

/// Output length of a window that slides over `size` (convolution, pooling); 0 or less where it doesn't fit.
int64_t window_positions(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, bool ceil);

}  // namespace mas
