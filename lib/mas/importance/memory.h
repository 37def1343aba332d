#pragma once
#include <cstdint>
#include <string>

#include "mas/tensors.h"

namespace mas {

/// "4G", "500M", "1048576": bytes, K, M, G and T being powers of 1024. Throws UsageError naming `option`.
int64_t parse_bytes(const std::string& text, const std::string& option);

/// What the system says could be had without swapping; 0 where it doesn't say.
int64_t free_memory();

/// What this process has in memory now: the program, LibTorch, the model.
int64_t resident_memory();

/// Gives what is free, but kept by the allocator, back to the system.
void trim_memory();

/// Of `memory` bytes beyond what is there, those that passes may take beside what importance needs for the parameters
/// whatever the batch: sums in double, panels in float, and the file that is written. Throws UsageError where
/// nothing is left.
int64_t memory_of_passes(int64_t memory, const NamedTensors& parameters);

}  // namespace mas
