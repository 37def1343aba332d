#include "mas/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "mas/data/folder_parts.h"
#include "mas/data/formats.h"
#include "mas/data/moments.h"
#include "mas/data/source.h"
#include "mas/data/transforms.h"
#include "mas/error.h"
#include "mas/random.h"

namespace mas {
namespace {

constexpr int64_t kMostChannelValues = int64_t{1} << 20;  // of a batch that normalize=auto reads

// What is left to do where the source has fitted its rows.
DataSpec after_fit(DataSpec spec) {
  if (!spec.size) spec.crop.reset();
  spec.size.reset();
  spec.square = false;
  return spec;
}

/// Some rows of a source, transformed. Only labels and row numbers are held.
class SourceDataset : public Dataset {
 public:
  SourceDataset(Source source, const DataSpec& spec)
      : source_(std::move(source)),
        transforms_(source_.fitted ? after_fit(spec) : spec, source_.shape, source_.type),
        cut_when_read_(source_.fitted && spec.crop && !spec.size) {
    if (!spec.classes.empty() && !source_.has_labels)
      throw Error(spec.source,
                  "classes=" + format_classes(spec.classes) + " needs labels, and there are none; see labels=FILE");
    if (source_.has_labels) {
      labels_ = source_.labels();
      has_labels_ = true;
      choose_classes(spec);
    }
    choose_rows(spec);
    if (source_.check) source_.check(all_source_rows());
  }

  int64_t size() const override { return all_ ? *all_ : static_cast<int64_t>(rows_.size()); }
  std::vector<int64_t> sample_shape() const override { return transforms_.shape(); }
  bool has_labels() const override { return has_labels_; }
  std::vector<int64_t> classes() const override { return classes_; }
  at::ScalarType stored_type() const override { return transforms_.stored_type(); }

  std::string class_name(int64_t label) const override {
    const auto& names = source_.class_names;
    return label >= 0 && label < static_cast<int64_t>(names.size()) ? names[static_cast<size_t>(label)] : "";
  }

  at::Tensor class_vectors() const override { return source_.class_vectors; }

  std::optional<std::string> stored(int64_t row) override {
    if (!source_.stored) return {};
    return source_.stored(source_row(row));
  }

  bool is_stored_in(const std::string& path) const override {
    return source_.is_stored_in && source_.is_stored_in(path);
  }

  at::Tensor images(at::ArrayRef<int64_t> rows) override {
    return transforms_.apply(read(rows).data(), static_cast<int64_t>(rows.size()));
  }

  at::Tensor augmented(at::ArrayRef<int64_t> rows, const Augmentation& augmentation, uint64_t seed) override {
    if (cut_when_read_)
      throw Error("--augment",
                  "needs size= beside crop=, which alone cuts pictures as they are read; add it to the spec");
    std::vector<uint64_t> seeds;
    for (int64_t row : rows) seeds.push_back(SplitMix64::mix(seed + static_cast<uint64_t>(row)));
    return transforms_.apply(read(rows).data(), augmentation, seeds);
  }

  at::Tensor labels(at::ArrayRef<int64_t> rows) override {
    if (!has_labels_) throw Error("data", "no labels; see labels=FILE");
    at::Tensor result = at::empty({static_cast<int64_t>(rows.size())}, at::device(at::kCPU).dtype(at::kLong));
    auto* out = result.data_ptr<int64_t>();
    for (int64_t row : rows) *out++ = labels_[static_cast<size_t>(source_row(row))];
    return result;
  }

 private:
  int64_t source_row(int64_t row) const {
    if (row < 0 || row >= size()) throw Error("data", fmt::format("row {} of {}", row, size()));
    return all_ ? row : rows_[static_cast<size_t>(row)];
  }

  // As they are stored, in units of 8 bytes: aligned for every type.
  std::vector<int64_t> read(at::ArrayRef<int64_t> rows) {
    std::vector<int64_t> stored;
    stored.reserve(rows.size());
    for (int64_t row : rows) stored.push_back(source_row(row));
    const size_t count = stored.size() * static_cast<size_t>(source_.row_bytes());
    std::vector<int64_t> bytes(count / sizeof(int64_t) + 1);
    source_.read(stored, bytes.data());
    return bytes;
  }

  std::vector<int64_t> all_source_rows() const {
    if (!all_) return rows_;
    std::vector<int64_t> rows(static_cast<size_t>(*all_));
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
  }

  void choose_classes(const DataSpec& spec) {
    std::set<int64_t> present(labels_.begin(), labels_.end());
    std::vector<int64_t> sorted(present.begin(), present.end());
    for (int64_t wanted : spec.classes)
      if (!present.count(wanted))
        throw Error(spec.source, fmt::format("classes={}: no class {}, there are {}", format_classes(spec.classes),
                                             wanted, format_classes(sorted)));
    classes_ = spec.classes.empty() ? sorted : spec.classes;
    check_vectors(spec.source, sorted);
  }

  void check_vectors(const std::string& name, const std::vector<int64_t>& present) const {
    const at::Tensor& vectors = source_.class_vectors;
    if (!vectors.defined() || vectors.numel() == 0) return;
    const at::Tensor empty = vectors.isnan().all(1);
    for (const int64_t label : present)
      if (label >= vectors.size(0) || empty[label].item<bool>())
        throw Error(name, fmt::format("label {} has no vector; see /vectors in mas(7), HDF5", label));
    const at::Tensor has = vectors.isnan().logical_not().view({vectors.size(0), 3, -1});
    const at::Tensor whole = has.all(2), any = has.any(2), first = whole.select(1, 0), last = any.select(1, 2);
    const at::Tensor sound = whole.eq(any).all(1) & first & (whole.select(1, 1) | last.logical_not());
    for (const int64_t label : present)
      if (!sound[label].item<bool>())
        throw Error(name, fmt::format("label {}: has NaN within a word, or no word before another; see /vectors in "
                                      "mas(7), HDF5",
                                      label));
  }

  void choose_rows(const DataSpec& spec) {
    if (!spec.fraction && spec.classes.empty()) {
      all_ = std::min(source_.rows, spec.limit.value_or(source_.rows));
      return;
    }
    std::vector<int64_t> rows;
    const std::set<int64_t> classes(spec.classes.begin(), spec.classes.end());
    const auto wanted = [&](int64_t row) {
      return classes.empty() || classes.count(labels_[static_cast<size_t>(row)]);
    };
    if (spec.fraction) {
      rows = permutation(source_.rows, spec.seed);
      const auto cut = rows.begin() + std::llround(*spec.fraction * static_cast<double>(source_.rows));
      if (spec.split == Split::kTest)
        rows.erase(rows.begin(), cut);
      else
        rows.erase(cut, rows.end());
      rows.erase(std::remove_if(rows.begin(), rows.end(), [&](int64_t row) { return !wanted(row); }), rows.end());
      std::sort(rows.begin(), rows.end());
    } else {
      for (int64_t row = 0; row < source_.rows; ++row)
        if (wanted(row)) rows.push_back(row);
    }
    if (spec.limit && static_cast<int64_t>(rows.size()) > *spec.limit) rows.resize(static_cast<size_t>(*spec.limit));
    if (rows.empty()) throw Error(spec.source, "no samples are left: split and classes choose none");
    rows.shrink_to_fit();
    rows_ = std::move(rows);
  }

  Source source_;
  Transforms transforms_;
  bool cut_when_read_;  // only the centre of pictures is known
  bool has_labels_ = false;
  std::vector<int32_t> labels_;
  std::vector<int64_t> classes_;
  std::optional<int64_t> all_;  // the first so many rows of the source, in which case rows_ is empty
  std::vector<int64_t> rows_;
};

// normalize=auto: mean and deviation a channel of the training part, all classes of it, so that all tasks cut from one
// set and its test part are normalised alike.
std::string measure(const DataSpec& spec, const OpenOptions& options) {
  DataSpec plain = spec;
  plain.normalize.clear();
  plain.classes.clear();
  plain.limit.reset();
  plain.split = Split::kTrain;
  plain.labels.clear();
  if (spec.labels == "first" || spec.labels == "last")
    plain.labels = spec.labels;
  else if (!spec.labels.empty())
    plain.labels = "none";  // of a CSV file every column is a value then
  OpenOptions unlabelled = options;
  unlabelled.want_labels = false;
  const auto data = open_dataset(plain, unlabelled);
  const auto shape = data->sample_shape();
  if (data->stored_type() == at::kLong) throw Error("normalize", "not for token ids");
  const size_t channels = shape.size() == 3 ? static_cast<size_t>(shape[0]) : 1;
  const int64_t values = checked_product(shape, 1), plane = values / static_cast<int64_t>(channels);
  std::vector<Moments> moments(channels);
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < data->size();) {
    rows.clear();
    const int64_t most = std::max<int64_t>(1, kMostChannelValues / values);
    while (row < data->size() && static_cast<int64_t>(rows.size()) < most) rows.push_back(row++);
    const at::Tensor images = data->images(rows);
    const float* value = images.data_ptr<float>();
    for (size_t i = 0; i < rows.size() * channels; ++i)
      for (int64_t k = 0; k < plane; ++k, ++value) moments[i % channels].add(*value);
  }
  std::string text;
  for (const Moments& channel : moments) {
    const double mean = channel.mean(), deviation = channel.deviation();
    if (!std::isfinite(mean)) throw Error(spec.source, "normalize=auto: holds a value that isn't finite");
    text += fmt::format("{}{:.9g}:{:.9g}", text.empty() ? "" : ";", mean, deviation > 1e-30 ? deviation : 1.0);
  }
  return text;
}

}  // namespace

at::Tensor Dataset::augmented(at::ArrayRef<int64_t>, const Augmentation&, uint64_t) {
  throw Error("--augment", "not for these data");
}

bool has_test_part(const DataSpec& spec, const OpenOptions& options) {
  return find_generator(spec.source) || path_has_test_part(find_path(spec.source, options.directories));
}

std::unique_ptr<Dataset> open_dataset(const DataSpec& spec, const OpenOptions& options) {
  DataSpec resolved = spec;
  if (spec.normalize == "auto") resolved.normalize = measure(spec, options);
  const bool want_labels = options.want_labels || !spec.classes.empty();
  return std::make_unique<SourceDataset>(open_source(resolved, options, want_labels), resolved);
}

}  // namespace mas
