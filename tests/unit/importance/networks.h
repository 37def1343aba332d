#pragma once
#include "unit/doctest_torch.h"

#include <hdf5.h>
#include <torch/script.h>

#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mas/importance/estimator.h"

namespace mas::test {

/// max |got - want| / max |want|
inline double error(const at::Tensor& got, const at::Tensor& want) {
  if (want.numel() == 0) return 0;
  const double most = want.abs().max().item<double>();
  const double off = (got.to(at::kDouble) - want.to(at::kDouble)).abs().max().item<double>();
  return std::isnan(off) ? INFINITY : most > 0 ? off / most : off;
}

/// The worst parameter's error; infinite when the names differ.
inline double error(const NamedTensors& got, const NamedTensors& want) {
  double worst = 0;
  if (got.size() != want.size()) return INFINITY;
  for (const auto& [name, tensor] : want) {
    if (!got.count(name) || got.at(name).sizes() != tensor.sizes()) return INFINITY;
    worst = std::max(worst, error(got.at(name), tensor));
  }
  return worst;
}

inline NamedTensors parameters(torch::nn::Module& net) {
  NamedTensors all;
  for (auto& p : net.named_parameters()) all[p.key()] = p.value();
  return all;
}

/// The slow and obvious way, independent of the library: one sample at a time.
inline NamedTensors one_by_one(const Forward& forward, const NamedTensors& parameters, const at::Tensor& x) {
  NamedTensors sum;
  std::vector<at::Tensor> leaves;
  for (const auto& [name, p] : parameters) {
    sum[name] = at::zeros(p.sizes(), at::kDouble);
    leaves.push_back(p);
  }
  for (int64_t n = 0; n < x.size(0); n++) {
    const auto g = torch::autograd::grad({forward(x.slice(0, n, n + 1)).pow(2).sum()}, leaves, {}, false, false, true);
    size_t i = 0;
    for (auto& [name, s] : sum) {
      if (g[i].defined()) s += g[i].abs().to(at::kDouble);
      i++;
    }
  }
  return sum;
}

/// A double-precision copy of the network as the judge of its float32 importance.
template <class Net>
NamedTensors oracle(Net& net, const at::Tensor& x) {
  const auto copy = std::dynamic_pointer_cast<typename Net::ContainedType>(net->clone());
  copy->to(at::kDouble);
  return one_by_one([&](const at::Tensor& t) { return copy->forward(t); }, parameters(*copy), x.to(at::kDouble));
}

/// Feeds x in batches and gives the sums.
inline NamedTensors estimate(Estimator& estimator, const at::Tensor& x, int64_t batch) {
  for (int64_t i = 0; i < x.size(0); i += batch) estimator.add(x.slice(0, i, std::min(x.size(0), i + batch)));
  return estimator.sum();
}

inline std::string path(const Estimator& estimator, const std::string& name) {
  for (const auto& p : estimator.paths())
    if (p.parameter == name) return p.path;
  return "absent";
}

/// y = f(W x): one weight, and whatever the test makes of the batch.
struct Weights {
  at::Tensor w = torch::randn({4, 6}), b = torch::randn({4});
  NamedTensors named() const { return {{"w", w}, {"b", b}}; }
};

/// Parameters of its own and a function; turned into double as one.
struct Net : torch::nn::Module {
  std::function<at::Tensor(const at::Tensor&)> f;
  at::Tensor add(const std::string& name, at::IntArrayRef shape) {
    return register_parameter(name, torch::randn(shape));
  }
};

/// One of the golden networks of MAS_SHARED_DIR/reference.
struct Golden {
  torch::jit::Module net;
  at::Tensor images, labels;  // no labels where outputs are no classes
  NamedTensors params;
  std::string file;

  NamedTensors group(const std::string& name) const;
  Forward forward() {
    return [this](const at::Tensor& x) { return net.forward({x}).toTensor(); };
  }
};

inline at::Tensor read_tensor(hid_t file, const std::string& name, at::ScalarType type) {
  const hid_t set = H5Dopen2(file, name.c_str(), H5P_DEFAULT), space = H5Dget_space(set);
  std::vector<hsize_t> dims(H5Sget_simple_extent_ndims(space));
  H5Sget_simple_extent_dims(space, dims.data(), nullptr);
  at::Tensor t = at::empty(std::vector<int64_t>(dims.begin(), dims.end()), type);
  const hid_t as = type == at::kLong ? H5T_NATIVE_INT64 : type == at::kFloat ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
  H5Dread(set, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, t.data_ptr());
  H5Sclose(space);
  H5Dclose(set);
  return t;
}

/// Empty when the file hasn't that group.
inline NamedTensors Golden::group(const std::string& name) const {
  NamedTensors all;
  const hid_t f = H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (H5Lexists(f, name.c_str(), H5P_DEFAULT) > 0)
    for (const auto& p : params) all[p.first] = read_tensor(f, name + "/" + p.first, at::kDouble);
  H5Fclose(f);
  return all;
}

inline std::optional<Golden> golden(const std::string& name) {
  const std::string base = std::string(MAS_SHARED_DIR) + "/reference/" + name;
  if (!std::filesystem::exists(base + ".pt")) {
    MESSAGE("skipped: " << base << ".pt is missing");
    return {};
  }
  torch::jit::setGraphExecutorOptimize(false);
  Golden g;
  g.net = torch::jit::load(base + ".pt");
  g.net.eval();
  g.file = base + ".h5";
  const hid_t f = H5Fopen(g.file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  g.images = read_tensor(f, "images", at::kFloat);
  if (H5Lexists(f, "labels", H5P_DEFAULT) > 0) g.labels = read_tensor(f, "labels", at::kLong);
  H5Fclose(f);
  for (const auto& p : g.net.named_parameters()) g.params[p.name] = p.value;
  return g;
}

inline const std::vector<std::string> kGolden{"mlp",         "tiny_cnn",         "strided_convs",
                                              "tiny_resnet", "tied_autoencoder", "tokens"};

}  // namespace mas::test
