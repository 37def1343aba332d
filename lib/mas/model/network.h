#pragma once
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mas/model/layers.h"
#include "mas/tensors.h"

namespace mas {

/// A network from samples to features, built from an architecture (model/architecture.h). It has shapes from the start
/// and values once it is initialised or loaded; the tensors in parameters() are the network's own.
class Network {
 public:
  /// `name` is for messages: the file that the architecture came from. Throws Error naming it and the layer.
  Network(const nlohmann::json& arch, const std::string& name);

  /// New values from `seed` (torch.nn's initialisation), float32.
  void initialize(uint64_t seed);
  /// Values from a file; throws Error naming the first tensor that is missing, too many, or of another shape or type.
  void load(const NamedTensors& weights, const NamedTensors& buffers);

  /// x: [n, *input()]; returns [n, feature_size()].
  at::Tensor features(const at::Tensor& x) const;
  /// Dropout and batch statistics on or off; off at first.
  void train(bool on) { training_ = on; }

  const Shape& input() const { return input_; }           ///< of one sample
  int64_t feature_size() const { return feature_size_; }  ///< features a sample, for the head
  NamedTensors parameters() const { return collect(false); }
  NamedTensors buffers() const { return collect(true); }

 private:
  NamedTensors collect(bool buffers) const;
  void assign(const NamedTensors& values, bool buffers);

  std::string name_;
  Shape input_;
  int64_t feature_size_ = 0;
  std::vector<Layer> layers_;
  bool training_ = false;
};

}  // namespace mas
