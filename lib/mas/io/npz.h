#pragma once
#include <cstdint>
#include <string>

#include "mas/tensors.h"

namespace mas {

struct NpzOptions {
  bool deflate = false;                   ///< compress, as numpy.savez_compressed does
  uint64_t zip64_beyond = 0xffffffffULL;  ///< sizes and offsets from here on use zip64; only tests set it lower
};

/// The bytes of a NumPy .npz archive with an array "<name>.npy" for each tensor, in sorted order, dated 1980-01-01:
/// equal content gives equal bytes. Throws Error(name of the tensor, ...) for a type that NumPy doesn't have (bfloat16,
/// quantised).
std::string serialize_npz(const NamedTensors& tensors, const NpzOptions& options = {});

/// Writes it to a file or, for "-", to standard output, as write_output does.
void write_npz(const NamedTensors& tensors, const std::string& path, const NpzOptions& options = {});

}  // namespace mas
