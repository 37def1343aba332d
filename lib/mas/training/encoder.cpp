#include "mas/training/encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "mas/data/recording.h"
#include "mas/error.h"
#include "mas/model/accuracy.h"
#include "mas/random.h"
#include "mas/training/optimizer.h"

namespace mas {
namespace {

// Choices of ours, where the authors' code has 100 epochs of Adadelta: standardised features allow ten times Adam's
// usual rate, and a small set, whose epochs are a few steps each, gets more of them.
constexpr double kLearningRate = 1e-2;
constexpr int64_t kSteps = 2000;

// Calls `work` with the rows in pieces.
template <typename Work>
void for_each_batch(const std::vector<int64_t>& rows, int64_t batch_size, const Work& work) {
  const at::ArrayRef<int64_t> all(rows);
  for (size_t begin = 0; begin < rows.size(); begin += static_cast<size_t>(batch_size)) {
    work(all.slice(begin, std::min(static_cast<size_t>(batch_size), rows.size() - begin)));
  }
}

// Of each feature; `scale` is 1 / deviation, or 0 where the feature doesn't vary, `share` its weight in a mean over
// those that do.
struct Moments {
  at::Tensor mean, scale, share;
};

Moments measure(const Recording& features, const std::vector<int64_t>& rows, int64_t batch_size) {
  at::Tensor sum = at::zeros({}, at::kDouble), squares = sum;
  for_each_batch(rows, batch_size, [&](at::ArrayRef<int64_t> batch) {
    const auto values = features.of(batch).to(at::kDouble);
    sum = sum + values.sum(0);
    squares = squares + values.square().sum(0);
  });
  const auto n = static_cast<double>(rows.size());
  const auto mean = sum / n, variance = squares / n - mean.square();
  constexpr double kNone = 1e-6;  // of the mean variance: such a feature would be blown up
  const auto scale = at::where(variance > kNone * variance.mean(), variance.rsqrt(), at::zeros_like(mean));
  const auto varies = (scale > 0).to(at::kFloat);
  return {mean.to(at::kFloat), scale.to(at::kFloat), varies / varies.sum().clamp_min(1)};
}

// The encoder and the decoder of standardised features.
struct Autoencoder {
  Autoencoder(int64_t features, int64_t code, uint64_t seed) {
    const auto add = [&](const std::string& part, const NamedTensors& layer) {
      for (const auto& [local, value] : layer) parameters[part + local] = value.set_requires_grad(true);
    };
    add("encoder.", new_linear(code, features, derive_seed(seed, "encoder")));
    add("decoder.", new_linear(features, code, derive_seed(seed, "decoder")));
  }

  at::Tensor reconstruct(const at::Tensor& standardised) const {
    const auto code =
        at::linear(standardised, parameters.at("encoder.weight"), parameters.at("encoder.bias")).sigmoid();
    return at::linear(code, parameters.at("decoder.weight"), parameters.at("decoder.bias"));
  }

  // For features as they are.
  NamedTensors encoder(const Moments& moments) const {
    at::NoGradGuard no_grad;
    const auto weight = parameters.at("encoder.weight").detach() * moments.scale;
    return {{"weight", weight}, {"bias", parameters.at("encoder.bias").detach() - at::mv(weight, moments.mean)}};
  }

  NamedTensors parameters;
};

}  // namespace

at::Tensor encode(const NamedTensors& encoder, const at::Tensor& features) {
  return at::linear(features, encoder.at("weight"), encoder.at("bias")).sigmoid();
}

EncoderReport train_encoder(Model& model, const TaskRecord& task, Dataset& data, const std::vector<int64_t>& rows,
                            const EncoderOptions& options) {
  model.train(false);
  const int64_t width = model.network().feature_size(), size = static_cast<int64_t>(rows.size());
  const Recording features(
      data, rows, options.batch_size, width, [&](const at::Tensor& x) { return model.features(x); }, options.scratch,
      "features");
  const auto moments = measure(features, rows, options.batch_size);
  const auto deviation = at::where(moments.scale > 0, moments.scale.reciprocal(), at::zeros_like(moments.scale));
  const uint64_t seed = derive_seed(task.seed, "encoder/" + task.name);
  const Autoencoder autoencoder(width, options.code, seed);
  OptimizerOptions adam;
  adam.lr = kLearningRate;
  Optimizer optimizer(autoencoder.parameters, adam, {});
  EncoderReport report;
  const int64_t batches = (size + options.batch_size - 1) / options.batch_size;
  const int64_t epochs = std::max(options.epochs, (kSteps + batches - 1) / batches);
  for (int64_t epoch = 0; epoch < epochs; epoch++) {
    std::vector<int64_t> order = rows;
    shuffle(order, derive_seed(seed, fmt::format("epoch/{}", epoch)));
    double error_sum = 0;
    int64_t right = 0;
    for_each_batch(order, options.batch_size, [&](at::ArrayRef<int64_t> batch) {
      const auto standardised = (features.of(batch) - moments.mean) * moments.scale;
      const auto reconstructed = autoencoder.reconstruct(standardised);
      const auto outputs = model.apply_head(moments.mean + deviation * reconstructed, task);
      const auto targets = model.targets(data.labels(batch), task);
      const auto error = at::mv((reconstructed - standardised).square(), moments.share).mean();
      const auto loss = error + at::cross_entropy_loss(outputs, targets);
      if (!std::isfinite(loss.item<double>())) {
        throw Error(model.name(), fmt::format("the autoencoder of task {} is no longer finite", task.name));
      }
      loss.backward();
      optimizer.step();
      error_sum += error.item<double>() * static_cast<double>(batch.size());
      right += count_right(outputs.detach(), targets);
    });
    report.error = error_sum / static_cast<double>(size);
    report.accuracy = static_cast<double>(right) / static_cast<double>(size);
  }
  model.file.encoders[task.name] = autoencoder.encoder(moments);
  return report;
}

}  // namespace mas
