// The reader of pictures on any bytes.
#include "mas/data/pictures/decode.h"

#include <cstdlib>
#include <string>

#include "fuzz/file_of.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const int descriptor = mas::fuzz::file_of(bytes, size);
  const mas::File file(descriptor, "fuzz", static_cast<int64_t>(size));
  try {
    const auto picture = mas::decode_picture(file);
    if (mas::picture_sides(file) != std::pair(picture.height, picture.width)) std::abort();
    if (static_cast<int64_t>(picture.rgb.size()) != 3 * picture.height * picture.width) std::abort();
  } catch (const mas::Error& error) {
    mas::fuzz::check_message(error);
  }
  return 0;
}
