#pragma once
#include <hdf5.h>

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "mas/io/atomic_file.h"

namespace mas {

/// A data set of plain values in an HDF5 file that is written in pieces.
struct Hdf5Part {
  const char* name;
  hid_t stored;
  at::ScalarType type;  ///< of the values that are written
  std::vector<hsize_t> shape;
  int64_t row_bytes = 0;
  int64_t offset = 0;  ///< in the file
  int64_t bytes() const { return row_bytes * static_cast<int64_t>(shape[0]); }
};

/// Writes an HDF5 file's own structures and sets the parts' offsets, where the caller writes the values. `user_block`:
/// bytes at the beginning that are left to the caller, 0 or 512 and more in powers of two. Takes room for all of it.
/// Throws Error naming `path`.
void lay_out_hdf5(std::vector<Hdf5Part>& parts, Replacement& file, const std::string& path, int64_t user_block = 0);

}  // namespace mas
