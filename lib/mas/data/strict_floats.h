#pragma once

// For what has to be the same bytes on every machine: include it last. A fused multiply-add rounds once where x86-64
// rounds twice, so from here on the compiler makes none.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif
