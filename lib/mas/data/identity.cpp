#include "mas/data/identity.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "mas/fingerprint.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr int64_t kSpread = 32;                // samples looked at
constexpr int64_t kLabels = int64_t{1} << 16;  // at a time

// Without what computes, whose last digits may differ between machines.
DataSpec as_stored(DataSpec spec) {
  spec.size.reset();
  spec.square = false;
  spec.crop.reset();
  spec.pad = 0;
  spec.permute.reset();
  spec.rotate = 0;
  spec.normalize.clear();
  return spec;
}

std::string hash_of(const Fingerprint& content) { return content.text().substr(0, 16); }

std::vector<int64_t> spread_rows(const Dataset& data) {
  const int64_t last = data.size() - 1, count = std::min(kSpread, data.size());
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(count == 1 ? 0 : i * last / (count - 1));
  return rows;
}

std::string hash_tensor(const at::Tensor& values) {
  const at::Tensor all = values.contiguous();
  Fingerprint content;
  content.add(all.data_ptr(), all.nbytes());
  return hash_of(content);
}

std::string hash_values(Dataset& data) { return hash_tensor(data.images(spread_rows(data))); }

// Of pictures the files: decoders differ between machines, too.
std::optional<std::string> hash_stored(Dataset& data) {
  Fingerprint content;
  for (int64_t row : spread_rows(data)) {
    const auto bytes = data.stored(row);
    if (!bytes) return {};
    content.add(bytes->data(), bytes->size());
  }
  return hash_of(content);
}

std::string hash_samples(Dataset& data, const DataSpec& spec, const OpenOptions& options) {
  if (const auto hash = hash_stored(data)) return *hash;
  const DataSpec stored = as_stored(spec);
  return stored == spec ? hash_values(data) : hash_values(*open_dataset(stored, options));
}

std::string hash_labels(Dataset& data) {
  Fingerprint content;
  for (int64_t first = 0; first < data.size(); first += kLabels) {
    std::vector<int64_t> rows(static_cast<size_t>(std::min(kLabels, data.size() - first)));
    std::iota(rows.begin(), rows.end(), first);
    const at::Tensor labels = data.labels(rows);
    content.add(labels.data_ptr(), labels.nbytes());
  }
  return hash_of(content);
}

}  // namespace

std::string identity_of(Dataset& data, const DataSpec& spec, const OpenOptions& options) {
  std::string text = fmt::format("{} x {}, values {}", data.size(), shape_text(data.sample_shape()),
                                 hash_samples(data, spec, options));
  if (!data.has_labels()) return text;
  text += ", labels " + hash_labels(data);
  if (const at::Tensor vectors = data.class_vectors(); vectors.defined() && vectors.numel() > 0)
    text += ", vectors " + hash_tensor(vectors);
  return text;
}

}  // namespace mas
