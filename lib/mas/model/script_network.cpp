#include "mas/model/script_network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <functional>
#include <new>
#include <tuple>

#include "mas/error.h"
#include "mas/io/model_check.h"
#include "mas/model/script_module.h"
#include "mas/text.h"

namespace mas {

using nlohmann::json;

/// Where a tensor of the module is kept.
struct ScriptNetwork::Place {
  torch::jit::Module owner;
  std::string local;
  std::string tied;  ///< the name of the first tensor in the same memory: they are one
  at::Tensor get() const { return owner.attr(local).toTensor(); }
  void replace(const at::Tensor& tensor) const { torch::jit::Module(owner).setattr(local, tensor); }
  /// The tensor stays the same one, as the module may have it in other places too: recurrent layers keep their weights
  /// in a list, from which forward takes them.
  void set(const at::Tensor& value) const { get().set_data(value); }
};

namespace {

// One file format, float32 and float64: what can't be written is left where it is.
bool fits_file(const at::Tensor& buffer) {
  const auto type = buffer.scalar_type();
  if (buffer.layout() != at::kStrided) return false;
  if (!at::isFloatingType(type)) return !at::isComplexType(type) && !at::isQIntType(type);
  return (type == at::kFloat || type == at::kDouble) && at::isfinite(buffer).all().item<bool>();
}

// Empty where the architecture has no such key.
std::string text_of(const json& arch, const char* key, const std::string& name) {
  const auto it = arch.find(key);
  if (it == arch.end()) return "";
  if (!it->is_string()) throw Error(name, fmt::format("architecture whose \"{}\" is no text", key));
  return it->get<std::string>();
}

std::string full_name(const std::string& module, const std::string& local) {
  return module.empty() ? local : module + "." + local;
}

void set_mode(const torch::jit::Module& module, bool training) {
  for (auto m : module.modules()) {
    if (m.hasattr("training")) m.setattr("training", training);
  }
}

// Puts the random numbers back to where they were: dropout draws the same, whatever was tried in between.
class SameRandomNumbers {
 public:
  SameRandomNumbers() : generator_(at::detail::getDefaultCPUGenerator()), state_(generator_.get_state()) {}
  ~SameRandomNumbers() { generator_.set_state(state_); }
  SameRandomNumbers(const SameRandomNumbers&) = delete;
  SameRandomNumbers& operator=(const SameRandomNumbers&) = delete;

 private:
  at::Generator generator_;
  at::Tensor state_;
};

// Runs forward and backward.
at::Tensor pass(const std::function<at::Tensor(const at::Tensor&)>& run, const at::Tensor& x) {
  const at::AutoGradMode on(true);
  const at::Tensor leaf = x.detach().set_requires_grad(true);
  const at::Tensor y = run(leaf);
  if (y.requires_grad()) torch::autograd::grad({y.sum()}, {leaf}, {}, {}, false, /*allow_unused=*/true);
  return y.detach();
}

}  // namespace

ScriptNetwork::ScriptNetwork(const json& arch, const std::string& script, const std::string& name)
    : Network(arch, name) {
  const auto outputs = arch.find("outputs");
  constexpr int64_t kMost = int64_t{1} << 40;
  if (outputs == arch.end() || !outputs->is_number_integer() || *outputs < 1 || *outputs > kMost) {
    throw Error(name, "architecture without a number of outputs");
  }
  feature_size_ = outputs->get<int64_t>();
  output_ = {text_of(arch, "features", name), text_of(arch, "return", name)};
  open(script);
}

ScriptNetwork::ScriptNetwork(const std::string& script, const std::string& name, const ScriptOutput& output,
                             const at::Tensor& x, const std::string& data)
    : Network(x.sizes().slice(1).vec(), name), output_(output) {
  open(script);
  for (const auto* places : {&parameters_, &buffers_}) {
    for (const auto& [full, place] : *places) {
      if (!may_be_name(full))
        throw Error(name, printable(full) + ": no model file has such names; rename it in Python");
    }
  }
  for (const auto& [full, place] : parameters_) {
    if (!at::isfinite(place.get()).all().item<bool>()) throw Error(name, full + ": holds NaN or infinity");
    place.get().set_requires_grad(true);
  }
  const State before = state();
  const at::Tensor y = probe(x, data);
  feature_size_ = y.size(1);
  check_unchanged(before);
  check_gradient(y);
  check_repeated(x.narrow(0, 0, 1), data);
  for (const auto& [full, place] : parameters_) place.get().set_requires_grad(false);
}

// Sets the shape of a sample.
at::Tensor ScriptNetwork::probe(const at::Tensor& x, const std::string& data) {
  const at::AutoGradMode on(true);
  const auto attempt = [&](const at::Tensor& samples, std::string& fault) -> at::Tensor {
    try {
      return run(*module_, samples);
    } catch (const ChoiceError&) {
      throw;  // the samples did go through
    } catch (const Error& error) {
      fault = error.what();
      return {};
    }
  };
  std::string fault, ignored;
  const at::Tensor y = attempt(x, fault);
  if (x.dim() == 4 && x.size(1) == 1) {
    const at::Tensor sequences = x.squeeze(1), z = attempt(sequences, ignored);
    if (z.defined() && (!y.defined() || z.size(1) < y.size(1))) {
      input_ = sequences.sizes().slice(1).vec();
      return z;
    }
  }
  if (y.defined()) return y;
  throw Error(data, fmt::format("its samples of {} values don't go through {}", shape_text(input_), fault));
}

ScriptNetwork::State ScriptNetwork::state() const {
  State now{at::detail::getDefaultCPUGenerator().get_state(), {}, {}};
  for (const auto& [full, place] : parameters_) now.versions[full] = {place.get(), place.get()._version()};
  for (const auto& [full, place] : buffers_) now.buffers[full] = place.get().clone();
  return now;
}

// Importance and accuracy are a function's: they can't be told of a network that is another one at each call.
void ScriptNetwork::check_unchanged(const State& before) const {
  const State now = state();
  const char* const advice = "in eval mode; trace it after net.eval(), or do that only if self.training";
  if (!now.random.equal(before.random)) throw Error(name_, fmt::format("its forward draws random numbers {}", advice));
  for (const auto& [full, was] : before.versions) {
    const auto& [tensor, version] = now.versions.at(full);
    if (!tensor.is_same(was.first) || version != was.second)
      throw Error(name_, fmt::format("its forward changes {} {}", full, advice));
  }
  for (const auto& [full, was] : before.buffers) {
    if (!now.buffers.at(full).equal(was)) throw Error(name_, fmt::format("its forward changes {} {}", full, advice));
  }
}

void ScriptNetwork::check_gradient(const at::Tensor& y) const {
  std::vector<at::Tensor> all, gradients;
  for (const auto& [full, place] : parameters_) all.push_back(place.get());
  if (y.requires_grad()) {
    gradients = in_one_line(name_ + ": its output has no gradient", [&] {
      return torch::autograd::grad({y}, all, {at::ones_like(y)}, /*retain_graph=*/{}, /*create_graph=*/false,
                                   /*allow_unused=*/true);
    });
  }
  if (std::any_of(gradients.begin(), gradients.end(), [](const auto& g) { return g.defined(); })) return;
  throw Error(name_, "its output has no gradient to the parameters; does its forward detach it, or use no_grad?");
}

// One sample alone, as importance takes them, and again.
void ScriptNetwork::check_repeated(const at::Tensor& one, const std::string& data) const {
  const at::NoGradGuard no_grad;
  const auto outputs = [&] {
    try {
      return features(one);
    } catch (const ChoiceError&) {
      throw;
    } catch (const Error& error) {
      throw Error(data, fmt::format("a single sample doesn't go through {}", error.what()));
    }
  };
  const at::Tensor y = outputs(), again = outputs();
  constexpr double kRounding = 1e-4;  // of the largest
  const double most = kRounding * y.nan_to_num().abs().max().item<double>();
  if (at::allclose(y, again, /*rtol=*/0, /*atol=*/most, /*equal_nan=*/true)) return;
  throw Error(name_,
              "its forward gives other outputs when the same sample comes again; it has to forget what came before");
}

ScriptNetwork::~ScriptNetwork() = default;

void ScriptNetwork::open(const std::string& script) {
  module_ = std::make_unique<torch::jit::Module>(load_script(script, name_));
  if (!output_.features.empty()) to_layer_ = forward_to_layer(*module_, output_.features, name_);
  std::map<std::tuple<const void*, Shape, Shape>, std::string> known;
  std::set<std::string> moving;
  for (const auto& m : module_->named_modules()) {
    for (const auto& p : m.value.named_parameters(/*recurse=*/false)) {
      const std::string full = full_name(m.name, p.name);
      // Loaded one by one, tied weights share memory only.
      const auto tied =
          known.emplace(std::tuple(p.value.data_ptr(), p.value.sizes().vec(), p.value.strides().vec()), full);
      const Place place{m.value, p.name, tied.first->second};
      if (p.value.requires_grad()) moving.insert(place.tied);
      if (!tied.second) place.replace(parameters_.at(place.tied).get());
      parameters_.emplace(full, place);
    }
    for (const auto& b : m.value.named_buffers(/*recurse=*/false)) {
      if (!fits_file(b.value)) continue;
      const std::string full = full_name(m.name, b.name);
      buffers_.emplace(full, Place{m.value, b.name, full});
    }
  }
  for (const auto& [full, place] : parameters_) {
    if (!moving.count(place.tied)) frozen_.insert(full);
    place.get().set_requires_grad(false);
    if (place.tied == full) place.set(place.get().clone(at::MemoryFormat::Contiguous));  // in memory of its own
  }
  type_ = parameters_.begin()->second.get().scalar_type();
  ScriptNetwork::train(false);
}

void ScriptNetwork::assign(const NamedTensors& values, const std::map<std::string, Place>& places) {
  for (const auto& [full, place] : places) {
    const auto it = values.find(full);
    if (it == values.end()) throw Error(name_, fmt::format("{} is missing", full));
    const at::Tensor own = place.get();
    if (it->second.sizes() != own.sizes() || it->second.scalar_type() != own.scalar_type()) {
      throw Error(name_, fmt::format("{}: {} of shape {}, but the module needs {} of {}", full,
                                     c10::toString(it->second.scalar_type()), shape_text(it->second.sizes()),
                                     c10::toString(own.scalar_type()), shape_text(own.sizes())));
    }
  }
  for (const auto& [full, value] : values) {
    const auto it = places.find(full);
    if (it == places.end()) throw Error(name_, fmt::format("{}: the module has no such tensor", full));
    it->second.set(values.at(it->second.tied));
  }
}

void ScriptNetwork::load(const NamedTensors& weights, const NamedTensors& buffers) {
  assign(weights, parameters_);
  assign(buffers, buffers_);
}

Choice ScriptNetwork::call(const torch::jit::Module& module, const at::Tensor& x) const {
  // Optimised, layers hide in fused graphs that autograd, and so the importance's rules, can't look into.
  const torch::jit::GraphOptimizerEnabledGuard plain(false);
  // Its own copy, as forward may change what it is given.
  const at::Tensor samples =
      x.to(x.is_floating_point() ? type_ : x.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
  const c10::IValue returned = in_one_line(name_, [&] {
    return to_layer_ ? (*to_layer_)({module._ivalue(), samples}) : module.get_method("forward")({samples});
  });
  return choose(returned, output_, name_);
}

at::Tensor ScriptNetwork::run(const torch::jit::Module& module, const at::Tensor& x) const {
  const at::Tensor y = call(module, x).tensor;
  if (y.dim() == 0 || y.size(0) != x.size(0)) {
    throw Error(name_, fmt::format("its output is {} for {} sample{}, which have to be its first dimension; was it "
                                   "traced with a batch of another size?",
                                   shape_text(y.sizes()), x.size(0), x.size(0) == 1 ? "" : "s"));
  }
  if (!y.is_floating_point()) {
    throw Error(name_,
                fmt::format("its output is {}, expected floats (before any argmax)", c10::toString(y.scalar_type())));
  }
  if (y.layout() != at::kStrided || y.numel() == 0) {
    throw Error(name_, fmt::format("its output is {}, expected values", y.numel() == 0 ? "empty" : "a sparse tensor"));
  }
  const at::Tensor values = y.to(type_);  // outputs may be of another precision than the parameters, and a head on them
  return values.dim() == 1 ? values.unsqueeze(1) : values.flatten(1);
}

Choice ScriptNetwork::choice(const at::Tensor& x) const { return call(*module_, x); }

// A module may view tensors as only contiguous ones can be, look at strides, or do either when it trains. It is tried
// on a copy, whose batch statistics are nobody's.
bool ScriptNetwork::takes_channels_last() const {
  constexpr double kRounding = 1e-4;  // of the largest output
  if (type_ != at::kFloat || !likes_channels_last(input_, parameters())) return false;
  const SameRandomNumbers same;
  const at::Tensor x = made_up_samples(input_, 2), last = x.contiguous(at::MemoryFormat::ChannelsLast);
  try {
    const at::NoGradGuard no_grad;
    const torch::jit::Module copy = module_->deepcopy();
    const auto run_copy = [&](const at::Tensor& samples) { return run(copy, samples); };
    set_mode(copy, false);
    const at::Tensor want = pass(run_copy, x), got = pass(run_copy, last);
    set_mode(copy, true);
    pass(run_copy, last);
    return got.sizes() == want.sizes() &&
           (got - want).abs().max().item<double>() <= kRounding * want.abs().max().item<double>();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    return false;
  }
}

at::Tensor ScriptNetwork::laid_out(const at::Tensor& x) const {
  Shape shape = input_;
  shape.insert(shape.begin(), x.size(0));
  const at::Tensor samples = x.reshape(shape);
  if (!channels_last_) channels_last_ = takes_channels_last();
  return *channels_last_ ? samples.contiguous(at::MemoryFormat::ChannelsLast) : samples;
}

at::Tensor ScriptNetwork::features(const at::Tensor& x) const {
  const at::Tensor y = run(*module_, laid_out(x));
  if (y.size(1) == feature_size_) return y;
  throw Error(name_, fmt::format("the module gives {} values a sample, expected {}", y.size(1), feature_size_));
}

void ScriptNetwork::train(bool on) { set_mode(*module_, on); }

NamedTensors ScriptNetwork::parameters() const {
  NamedTensors all;
  for (const auto& [full, place] : parameters_) all[full] = place.get();
  return all;
}

NamedTensors ScriptNetwork::buffers() const {
  NamedTensors all;
  for (const auto& [full, place] : buffers_) all[full] = place.get();
  return all;
}

json ScriptNetwork::architecture() const {
  json arch{{"name", name_.substr(name_.find_last_of('/') + 1)},
            {"type", "torchscript"},
            {"input", input_},
            {"outputs", feature_size_}};
  if (!output_.features.empty()) arch["features"] = output_.features;
  if (!output_.returned.empty()) arch["return"] = output_.returned;
  return arch;
}

}  // namespace mas
