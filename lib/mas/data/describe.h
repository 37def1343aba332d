#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mas/data/dataset.h"

namespace mas {

/// What is in a dataset, as its samples come out of the transforms.
struct DataDescription {
  struct ClassCount {
    int64_t label = 0;
    int64_t samples = 0;
    std::string name;  ///< "" where the data have none
  };
  int64_t samples = 0;
  std::vector<int64_t> shape;        ///< of one sample
  at::ScalarType type = at::kFloat;  ///< Dataset::stored_type(): kByte (bytes / 255), kFloat or kLong (token ids)
  bool has_labels = false;
  int64_t word_values = 0;            ///< of each of a fact's vectors; 0: the data have none
  std::vector<ClassCount> classes;    ///< in the order of Dataset::classes(); those without a sample count 0
  std::vector<int64_t> first_labels;  ///< of the first ten samples
  double mean = 0, deviation = 0;     ///< over all values; the deviation is the population's
  double min = 0, max = 0;
  std::vector<double> channel_mean, channel_deviation;  ///< for shapes {C, H, W}, else empty
  int64_t not_finite = 0;                               ///< nan and infinite values; left out of the numbers above
};

/// One pass over all samples, in batches. `progress(done, total)` is called after each, where given.
DataDescription describe(Dataset& data, const std::function<void(int64_t done, int64_t total)>& progress = {});

}  // namespace mas
