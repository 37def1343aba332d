#include "mas/data/describe.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "mas/data/loader.h"
#include "mas/data/moments.h"

namespace mas {
namespace {

constexpr int64_t kBatchValues = int64_t{1} << 20;
constexpr int64_t kFirstLabels = 10;

template <typename T>
void add_values(const at::Tensor& images, std::vector<Moments>& channels, DataDescription& result) {
  const T* value = images.data_ptr<T>();
  const int64_t planes = images.size(0) * static_cast<int64_t>(channels.size()), plane = images.numel() / planes;
  for (int64_t p = 0; p < planes; ++p) {
    Moments& moments = channels[static_cast<size_t>(p) % channels.size()];
    for (int64_t i = 0; i < plane; ++i) {
      const auto x = static_cast<double>(*value++);
      if (!std::isfinite(x)) {
        ++result.not_finite;
        continue;
      }
      moments.add(x);
      result.min = std::min(result.min, x);
      result.max = std::max(result.max, x);
    }
  }
}

}  // namespace

DataDescription describe(Dataset& data, const std::function<void(int64_t, int64_t)>& progress) {
  DataDescription result;
  result.samples = data.size();
  result.shape = data.sample_shape();
  result.type = data.stored_type();
  result.has_labels = data.has_labels();
  if (const at::Tensor vectors = data.class_vectors(); vectors.defined()) result.word_values = vectors.size(1) / 3;
  result.min = std::numeric_limits<double>::infinity();
  result.max = -result.min;
  int64_t values = 1;
  for (int64_t size : result.shape) values *= size;
  std::vector<Moments> channels(result.shape.size() == 3 ? static_cast<size_t>(result.shape[0]) : 1);
  std::map<int64_t, int64_t> counts;
  LoaderOptions options;
  options.batch_size = std::clamp<int64_t>(kBatchValues / std::max<int64_t>(1, values), 1, 4096);
  options.labels = result.has_labels;
  Loader loader(data, options);
  int64_t done = 0;
  for (Batch batch; loader.next(batch);) {
    if (batch.images.scalar_type() == at::kLong)
      add_values<int64_t>(batch.images, channels, result);
    else
      add_values<float>(batch.images, channels, result);
    for (int64_t i = 0; result.has_labels && i < batch.labels.size(0); ++i) {
      const int64_t label = batch.labels.data_ptr<int64_t>()[i];
      ++counts[label];
      if (done + i < kFirstLabels) result.first_labels.push_back(label);
    }
    done += batch.images.size(0);
    if (progress) progress(done, result.samples);
  }
  for (int64_t label : data.classes()) result.classes.push_back({label, counts[label], data.class_name(label)});
  // The channels' moments together, by the law of total variance.
  double sum = 0, squares = 0;
  int64_t count = 0;
  for (const Moments& m : channels) {
    sum += m.mean() * static_cast<double>(m.count);
    count += m.count;
    if (result.shape.size() == 3) {
      result.channel_mean.push_back(m.mean());
      result.channel_deviation.push_back(m.deviation());
    }
  }
  if (count == 0) result.min = result.max = 0;
  result.mean = count ? sum / static_cast<double>(count) : 0;
  for (const Moments& m : channels)
    squares += static_cast<double>(m.count) * (std::pow(m.deviation(), 2) + std::pow(m.mean() - result.mean, 2));
  result.deviation = count ? std::sqrt(squares / static_cast<double>(count)) : 0;
  return result;
}

}  // namespace mas
