// The reader of word vectors on any bytes.
#include "mas/data/facts/word_vectors.h"

#include <cmath>
#include <cstdlib>
#include <string>

#include "fuzz/file_of.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const int descriptor = mas::fuzz::file_of(bytes, size);
  try {
    const mas::File file("/proc/self/fd/" + std::to_string(descriptor));
    const auto vectors = mas::read_word_vectors(file, {"man", "riding", "horse", "wine glass", ""});
    for (const auto& [word, values] : vectors) {
      if (values.empty() || values.size() != vectors.begin()->second.size()) std::abort();
      for (const float value : values)
        if (!std::isfinite(value)) std::abort();
    }
  } catch (const mas::Error& error) {
    mas::fuzz::check_message(error);
  }
  close(descriptor);
  return 0;
}
