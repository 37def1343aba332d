#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "mas/data/file.h"

namespace mas {

/// Rows as they are stored, before any filter or transform. A format's open() fills this in.
struct Source {
  int64_t rows = 0;
  std::vector<int64_t> shape;       ///< of one row
  at::ScalarType type = at::kByte;  ///< kByte, kFloat or kLong (token ids)
  /// Writes the given rows, each within range, one after the other to `out`. Callable from any thread.
  std::function<void(at::ArrayRef<int64_t> rows, void* out)> read;
  bool has_labels = false;
  /// All rows' labels, each 0 or more; only where has_labels.
  std::function<std::vector<int32_t>()> labels;
  std::vector<std::string> class_names;  ///< by label, where the data have them
  at::Tensor class_vectors;              ///< Dataset::class_vectors()

  // Of pictures, which are decoded as they are read; empty elsewhere.
  bool fitted = false;  ///< the spec's size is in the rows already; its crop, too, where it has no size
  /// Throws Error where one of the rows is no picture of the source's shape, by a look at where its file begins.
  std::function<void(at::ArrayRef<int64_t> rows)> check;
  /// The row's file, byte for byte.
  std::function<std::string(int64_t row)> stored;
  std::function<bool(const std::string& path)> is_stored_in;  ///< Dataset::is_stored_in()

  int64_t row_bytes() const;
};

/// Rows of one size that lie at even distances in files.
struct Stretch {
  std::shared_ptr<File> file;
  int64_t offset = 0;  ///< of the first row
  int64_t stride = 0;  ///< from row to row; at least the row's bytes
  int64_t rows = 0;
};

/// A `read` over stretches, one after the other; neighbouring rows are read in one go.
std::function<void(at::ArrayRef<int64_t>, void*)> read_stretches(std::vector<Stretch> stretches, int64_t row_bytes);

/// The product of the dimensions times `unit`, or -1 where it is negative or 2^62 and more.
int64_t checked_product(const std::vector<int64_t>& dimensions, int64_t unit);

}  // namespace mas
