// TorchScript modules of any bytes, as the tools open them; what comes through runs.
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include "mas/error.h"
#include "mas/model/script_network.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const mas::ScriptNetwork network(bytes, "fuzz", {}, at::linspace(0, 1, 12).reshape({2, 6}), "samples");
    if (network.parameters().empty() || network.feature_size() < 0) std::abort();
  } catch (const std::bad_alloc&) {  // by what its code asks for
  } catch (const mas::Error& error) {
    const std::string text = error.what();
    if (text.empty() || text.find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
