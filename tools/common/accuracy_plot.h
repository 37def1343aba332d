#pragma once
#include <string>

#include "mas/evaluation/matrix.h"

namespace mas::tool {

/// gnuplot's commands for the accuracy of each task along the sequence, from the first model on that had learned it,
/// and for ACC.
std::string plot_commands(const AccuracyMatrix& matrix);

}  // namespace mas::tool
