#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "mas/data/dataset.h"

namespace mas {

using ExportProgress = std::function<void(int64_t done, int64_t total)>;

/// Writes a dataset as HDF5: /images [n, *sample_shape] and, with labels, /labels [n] int32. Images are uint8 where
/// stored_type() says that nothing is lost, else float32 or int64 (token ids). Equal data give equal bytes. Written in
/// slices to a temporary file beside `path`, then renamed. Throws Error naming the path.
void export_hdf5(Dataset& data, const std::string& path, const ExportProgress& progress = {});

/// The same as CSV without a header: a sample a line, its values in order and the label last. Nine digits, so that
/// floats read back bit for bit.
void export_csv(Dataset& data, const std::string& path, const ExportProgress& progress = {});

}  // namespace mas
