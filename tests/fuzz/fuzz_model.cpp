#include <cstddef>
#include <cstdint>
#include <string>

#include "mas/error.h"
#include "mas/io/model_file.h"

/// Any bytes are either refused with an Error or are a model that can be written again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    mas::serialize_model(mas::parse_model(bytes, "fuzz"));
  } catch (const mas::Error&) {
  }
  return 0;
}
