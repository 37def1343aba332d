#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/ATen.h>

#include "mas/data/dataset.h"

namespace mas {

struct Batch {
  at::Tensor images;          ///< [n, *sample_shape]
  at::Tensor labels;          ///< int64 [n]; undefined when not asked for
  std::vector<int64_t> rows;  ///< which samples of the dataset
};

struct LoaderOptions {
  int64_t batch_size = 128;  ///< samples
  bool shuffle = false;
  uint64_t seed = 0;     ///< of order and augmentation; give another one each epoch
  Augmentation augment;  ///< of the images; none unless given
  bool labels = true;    ///< false: Batch::labels stays undefined
  bool prefetch = true;  ///< read the next batch in a thread while this one is used
};

/// 0 to size() - 1.
std::vector<int64_t> every_row(const Dataset& data);

/// One pass over some rows of a dataset in batches; holds at most two batches.
class Loader {
 public:
  /// `rows`: which samples; the dataset must outlive the loader.
  Loader(Dataset& data, std::vector<int64_t> rows, const LoaderOptions& options);
  /// All samples.
  Loader(Dataset& data, const LoaderOptions& options);
  ~Loader();
  /// False at the end. Rethrows what reading threw.
  bool next(Batch& batch);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mas
