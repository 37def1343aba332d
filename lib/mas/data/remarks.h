#pragma once
#include <string>
#include <vector>

#include "mas/data/dataset.h"

namespace mas {

/// Lines about what can be read and is most likely not meant, by the shape and the first samples: pixels of 0 to 255
/// as floats, channels last. `spec` names the data.
std::vector<std::string> remarks_on(Dataset& data, const std::string& spec);

}  // namespace mas
