// The readers of other programs' weights on any bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mas/error.h"
#include "mas/io/state_dict.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    // What is read is small, and every value that a tensor claims is there.
    for (const auto& [name, tensor] : mas::parse_state_dict(bytes, "fuzz").tensors) {
      if (tensor.storage().nbytes() > size) std::abort();
      if (tensor.numel() <= static_cast<int64_t>(size)) tensor.contiguous();
    }
  } catch (const mas::Error& error) {
    const std::string text = error.what();
    if (text.empty() || text.find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
