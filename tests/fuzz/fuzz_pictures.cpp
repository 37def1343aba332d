// The reader of pictures on any bytes.
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "mas/data/pictures/decode.h"
#include "mas/error.h"

namespace {

// What takes memory because a header says so dies at this.
[[maybe_unused]] const bool kLimited = [] {
  const rlimit memory{rlim_t{8} << 30, rlim_t{8} << 30};
  return setrlimit(RLIMIT_AS, &memory) == 0;
}();

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
  if (descriptor < 0 || write(descriptor, bytes, size) != static_cast<ssize_t>(size)) std::abort();
  const mas::File file(descriptor, "fuzz", static_cast<int64_t>(size));
  try {
    const auto picture = mas::decode_picture(file);
    if (mas::picture_sides(file) != std::pair(picture.height, picture.width)) std::abort();
    if (static_cast<int64_t>(picture.rgb.size()) != 3 * picture.height * picture.width) std::abort();
  } catch (const mas::Error& error) {
    const std::string text = error.what();
    if (text.empty() || text.find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
