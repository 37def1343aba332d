#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mas/model/layers.h"
#include "mas/tensors.h"

namespace mas {

/// A network from samples to features. It has shapes from the start and values once it is initialised or loaded; the
/// tensors in parameters() are the network's own.
class Network {
 public:
  virtual ~Network() = default;

  /// New values from `seed`, where the network doesn't bring its own.
  virtual void initialize(uint64_t seed) = 0;
  /// Values from a file; throws Error naming the first tensor that is missing, too many, or of another shape or type.
  virtual void load(const NamedTensors& weights, const NamedTensors& buffers) = 0;

  /// x: [n, *input()], floats or int64 token ids; returns [n, feature_size()].
  virtual at::Tensor features(const at::Tensor& x) const = 0;
  /// Dropout and batch statistics on or off; off at first.
  virtual void train(bool on) = 0;
  /// Whether samples may be token ids.
  virtual bool takes_ids() const = 0;
  /// Whether the features are the outputs of scenarios domain and class, without a head on them.
  virtual bool has_own_head() const { return false; }

  const std::string& name() const { return name_; }       ///< for messages
  const Shape& input() const { return input_; }           ///< of one sample
  int64_t feature_size() const { return feature_size_; }  ///< features a sample, for the head
  virtual NamedTensors parameters() const = 0;
  virtual NamedTensors buffers() const = 0;
  /// Those of the parameters that stay as they are: nothing trains them, and their importance is 0.
  const std::set<std::string>& frozen() const { return frozen_; }

 protected:
  /// Reads "input". `name` is for messages: the file that the architecture came from.
  Network(const nlohmann::json& arch, const std::string& name);
  Network(Shape input, std::string name) : name_(std::move(name)), input_(std::move(input)) {}

  std::string name_;
  Shape input_;
  int64_t feature_size_ = 0;
  std::set<std::string> frozen_;
};

/// Whether oneDNN is faster with the channels of such images innermost in memory (channels_last): there are
/// convolutions.
bool likes_channels_last(const Shape& input, const NamedTensors& parameters);

/// Samples to try a network on where there are no data: floats in [0, 1), no two alike.
at::Tensor made_up_samples(const Shape& input, int64_t count);

/// A network built from layers (model/architecture.h), float32.
class LayeredNetwork : public Network {
 public:
  /// Throws Error naming `name` and the layer.
  LayeredNetwork(const nlohmann::json& arch, const std::string& name);

  void initialize(uint64_t seed) override;  ///< as torch.nn does
  void load(const NamedTensors& weights, const NamedTensors& buffers) override;
  at::Tensor features(const at::Tensor& x) const override;
  void train(bool on) override { training_ = on; }
  bool has_own_head() const override { return own_head_; }
  bool takes_ids() const override { return takes_ids_; }
  NamedTensors parameters() const override { return collect(false); }
  NamedTensors buffers() const override { return collect(true); }

 private:
  NamedTensors collect(bool buffers) const;
  void assign(const NamedTensors& values, bool buffers);

  std::vector<Layer> layers_;
  bool training_ = false, takes_ids_ = false, own_head_ = false;
  bool channels_last_ = false;  // images are laid out so on their way through the layers
};

/// The network that the architecture describes. `script`: the bytes of its TorchScript module, if it is one. Throws
/// Error naming `name`.
std::unique_ptr<Network> make_network(const nlohmann::json& arch, const std::string& script, const std::string& name);

}  // namespace mas
