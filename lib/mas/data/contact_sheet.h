#pragma once
#include <cstdint>
#include <string>

#include "mas/data/dataset.h"

namespace mas {

/// A picture of a dataset as PNG bytes: a row for each class, of the first 100 (ten rows where there are no labels),
/// with its first `columns` samples, one pixel of white between them. Bytes and values within 0..1 are shown as they
/// are, others stretched from the smallest to the largest value shown. Throws Error for samples that aren't {1 or 3, H,
/// W}.
std::string contact_sheet(Dataset& data, int64_t columns = 10);

}  // namespace mas
