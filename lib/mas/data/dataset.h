#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "mas/data/augmentation.h"
#include "mas/data/spec.h"

namespace mas {

/// Samples by row number. Bounded memory: rows are read when asked for, whatever the size of the set. Not thread-safe.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;                       ///< samples
  virtual std::vector<int64_t> sample_shape() const = 0;  ///< of one sample: {C, H, W}, {F}, ...
  virtual bool has_labels() const = 0;
  /// Distinct labels, ascending (after a class filter: in the order of the filter). Empty without labels. A limit or a
  /// share (split=0.8) doesn't change them, so that both parts of a set have the same.
  virtual std::vector<int64_t> classes() const = 0;
  /// float32 [n, *sample_shape] (int64 where the data are token ids), contiguous, on the CPU.
  virtual at::Tensor images(at::ArrayRef<int64_t> rows) = 0;
  /// The same of samples that are changed at random, as `seed` and their row numbers say. Throws Error(--augment,
  /// cause) where they can't be.
  virtual at::Tensor augmented(at::ArrayRef<int64_t> rows, const Augmentation& augmentation, uint64_t seed);
  /// int64 [n], the labels as they stand in the data. Throws Error without labels.
  virtual at::Tensor labels(at::ArrayRef<int64_t> rows) = 0;
  /// What the data call a class; "" where they don't.
  virtual std::string class_name(int64_t /*label*/) const { return ""; }
  /// Of facts: float32 [labels, values], what outputs for a sample of each label should be, the vectors of its subject,
  /// predicate and object behind each other; NaN where it has none. [labels, 0] of a list without vectors=. Undefined
  /// for other data.
  virtual at::Tensor class_vectors() const { return {}; }
  /// A sample's file, byte for byte, where images() decodes one a sample.
  virtual std::optional<std::string> stored(int64_t /*row*/) { return {}; }
  /// Whether one of them is this file, by whatever name.
  virtual bool is_stored_in(const std::string& /*path*/) const { return false; }
  /// kByte where every value of images() is a byte / 255, so that bytes lose nothing; else images()'s own type.
  virtual at::ScalarType stored_type() const { return at::kFloat; }
};

/// What a dataset is opened for.
struct OpenOptions {
  std::vector<std::string> directories;  ///< where names such as "mnist" are looked up, in order
  bool want_labels = true;               ///< false: labels are not read at all, unless a class filter needs them
  bool make_cache = true;                ///< false: a spec's cache= is read where it is, and never made
  std::string scratch = "/tmp";          ///< folder for what is unpacked: nameless files, gone when the dataset is
};

/// Whether the source has a test part of its own: generators and most folders do, single files and folders of pictures
/// without one don't. Throws Error where
/// there is no such source.
bool has_test_part(const DataSpec& spec, const OpenOptions& options);

/// Throws Error where writing to this path would change what the spec reads: the file of the data, of their labels or
/// of their words' vectors, or one in the folder of them. Pictures it doesn't know: see is_stored_in().
void check_apart_from_data(const std::string& path, const DataSpec& spec, const OpenOptions& options);

/// Opens what the spec names, with its transforms applied. Throws Error naming the file and the cause.
std::unique_ptr<Dataset> open_dataset(const DataSpec& spec, const OpenOptions& options);

}  // namespace mas
