#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mas/data/file.h"

namespace mas {

/// The length in bytes of the IDX file that begins with these bytes; nothing where they are no IDX header.
std::optional<int64_t> idx_length(const char* bytes, int64_t count);

/// The bytes of an IDX file of rank 1 (labels). Throws Error.
std::vector<int32_t> read_idx_labels(const File& file);

}  // namespace mas
