#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "mas/model/network.h"
#include "mas/model/script_output.h"

namespace torch::jit {
struct GraphFunction;
struct Module;
}  // namespace torch::jit

namespace mas {

/// A TorchScript module as a network: its output, flattened, or that of one of its layers, is the features. Its
/// description is
///   {"name": "net.pt", "type": "torchscript", "input": [3, 32, 32], "features": "layer4", "return": "0", "outputs":
///   512}
/// with "features" where a layer was named, "return" where more than a tensor is returned (see ScriptOutput), and
/// "outputs" the number of features. The values in the module's bytes are
/// replaced by those that are loaded; which parameters are frozen (requires_grad=False) stays as they have it.
class ScriptNetwork : public Network {
 public:
  /// `script`: the module's bytes. Throws Error naming `name`, what is wrong with the module, and what to do in Python.
  ScriptNetwork(const nlohmann::json& arch, const std::string& script, const std::string& name);
  /// The same for samples like x [n, ...], on which the module runs: it has to take them, and one alone, to have a
  /// gradient to its parameters, and to be a function of the samples in eval mode. `data` names them in messages.
  /// Samples of 1 x H x W values may be sequences that were read as images of one channel: they are taken as H x W
  /// where the module takes no others, or gives fewer values for these.
  ScriptNetwork(const std::string& script, const std::string& name, const ScriptOutput& output, const at::Tensor& x,
                const std::string& data);
  ~ScriptNetwork() override;

  void initialize(uint64_t) override {}
  void load(const NamedTensors& weights, const NamedTensors& buffers) override;
  at::Tensor features(const at::Tensor& x) const override;
  void train(bool on) override;
  bool takes_ids() const override { return true; }
  bool has_own_head() const override { return true; }
  NamedTensors parameters() const override;
  /// Without those that no file may hold: infinite attention masks, say, which stay as the bytes have them.
  NamedTensors buffers() const override;

  nlohmann::json architecture() const;
  const torch::jit::Module& module() const { return *module_; }
  const ScriptOutput& output() const { return output_; }
  /// What leads from the module's output, or the layer's, to the tensor that is the features, for samples x.
  Choice choice(const at::Tensor& x) const;
  /// The samples as the module gets them: [n, *input()], images with the channels innermost in memory where that is
  /// faster and makes no difference to the module.
  at::Tensor laid_out(const at::Tensor& x) const;

 private:
  struct Place;
  /// What forward may change.
  struct State {
    at::Tensor random;
    std::map<std::string, std::pair<at::Tensor, uint32_t>> versions;  ///< of parameters
    NamedTensors buffers;                                             ///< copies: batch norm's versions don't tell
  };
  void open(const std::string& script);
  void assign(const NamedTensors& values, const std::map<std::string, Place>& places);
  Choice call(const torch::jit::Module& module, const at::Tensor& x) const;
  at::Tensor run(const torch::jit::Module& module, const at::Tensor& x) const;
  at::Tensor probe(const at::Tensor& x, const std::string& data);
  State state() const;
  void check_unchanged(const State& before) const;
  void check_gradient(const at::Tensor& y) const;
  void check_repeated(const at::Tensor& one, const std::string& data) const;
  bool takes_channels_last() const;

  ScriptOutput output_;
  std::unique_ptr<torch::jit::Module> module_;
  std::unique_ptr<torch::jit::GraphFunction> to_layer_;  // null: the whole of forward
  std::map<std::string, Place> parameters_, buffers_;
  at::ScalarType type_ = at::kFloat;           // of the parameters
  mutable std::optional<bool> channels_last_;  // how images are laid out; unknown before the first come
};

}  // namespace mas
