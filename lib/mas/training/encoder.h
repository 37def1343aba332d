#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "mas/data/dataset.h"
#include "mas/model/model.h"

namespace mas {

/// A task's code of the network's features f [n, features], [n, code]: sigmoid(W f + b), between 0 and 1. `encoder`:
/// "weight" and "bias", as ModelFile::encoders has them.
at::Tensor encode(const NamedTensors& encoder, const at::Tensor& features);

struct EncoderOptions {
  int64_t code = 0;              ///< values of the code; fewer than there are features
  int64_t epochs = 1;            ///< passes over the samples; more where these are fewer than 2000 steps
  int64_t batch_size = 128;      ///< samples a step
  std::string scratch = "/tmp";  ///< folder for the features, which lie in a nameless file meanwhile
};

struct EncoderReport {
  double error = 0;     ///< mean square of what isn't reconstructed, of features with mean 0 and variance 1: 1 is what
                        ///< the mean of each would give
  double accuracy = 0;  ///< of the task's head on reconstructed features; both over the last pass
};

/// Trains an undercomplete autoencoder on what the network, which stays as it is, makes of a task's samples, and puts
/// its encoder into the model's file (Rannen et al. 2017, section 3.2). Minimised is the mean squared error of
/// reconstructed features plus the task's cross entropy on them. Features are standardised first, which ends up in W
/// and b; those that never vary are left out, of the mean, too. Unlike the paper's there is no sigmoid after that, and
/// the two terms weigh alike because the error is a mean over standardised features.
EncoderReport train_encoder(Model& model, const TaskRecord& task, Dataset& data, const std::vector<int64_t>& rows,
                            const EncoderOptions& options);

}  // namespace mas
