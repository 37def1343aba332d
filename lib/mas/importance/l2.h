#pragma once
#include "mas/model/model.h"

namespace mas {

/// Ω = 1 for all parameters, 0 for frozen ones, in place of what earlier tasks left: the penalty λ Σ (θ − θ*)² around
/// the weights of now, the control in comparisons, and the L2-transfer that IMM trains with (Lee et al. 2017). Reads no
/// data. Throws Error where another importance of the running task is there.
void set_l2(Model& model);

}  // namespace mas
