#pragma once
#include <algorithm>
#include <utility>

#include "mas/data/dataset.h"
#include "mas/error.h"
#include "unit/doctest_torch.h"

/// Tensors as a data set.
class MemoryDataset : public mas::Dataset {
 public:
  MemoryDataset(at::Tensor images, at::Tensor labels) : images_(std::move(images)), labels_(std::move(labels)) {}
  int64_t size() const override { return images_.size(0); }
  std::vector<int64_t> sample_shape() const override { return images_.sizes().slice(1).vec(); }
  bool has_labels() const override { return labels_.defined(); }
  std::vector<int64_t> classes() const override {
    std::vector<int64_t> all(labels_.data_ptr<int64_t>(), labels_.data_ptr<int64_t>() + labels_.numel());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }
  at::Tensor images(at::ArrayRef<int64_t> rows) override { return images_.index_select(0, at::tensor(rows)); }
  at::Tensor labels(at::ArrayRef<int64_t> rows) override { return labels_.index_select(0, at::tensor(rows)); }

  /// Clouds of points around a centre for each class: learnable in an epoch or two.
  static MemoryDataset clouds(int64_t samples, int64_t features, int64_t classes, uint64_t seed) {
    torch::manual_seed(seed);
    const auto centres = at::randn({classes, features});
    const auto labels = at::arange(samples, at::kLong).remainder(classes);
    return {centres.index_select(0, labels) + 0.5 * at::randn({samples, features}), labels};
  }

 private:
  at::Tensor images_, labels_;
};
