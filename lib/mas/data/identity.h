#pragma once
#include <string>

#include "mas/data/dataset.h"

namespace mas {

/// What tells a data set from another, or a changed one, of the same name: "400 x 1 x 28 x 28, values HASH, labels
/// HASH", the samples and the shape that the spec gives, a fingerprint of a few samples spread over it, as they are
/// stored, one of all labels, and one of facts' vectors; both are left out where the data were opened without labels.
/// Reads some dozens of samples. `data`: what open_dataset(spec, options) gave.
std::string identity_of(Dataset& data, const DataSpec& spec, const OpenOptions& options);

}  // namespace mas
