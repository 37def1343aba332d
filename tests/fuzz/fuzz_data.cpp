// The readers of data files on any bytes, with several specs.
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "mas/data/dataset.h"
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
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  for (const char* keys : {"", ",labels=first", ",labels=none,split=0.5", ",classes=0-3,limit=5"}) {
    try {
      const auto data = mas::open_dataset(mas::DataSpec::parse(path + keys), {});
      if (data->size() < 1) std::abort();
      const std::vector<int64_t> ends{0, data->size() - 1};
      if (data->images(ends).size(0) != 2) std::abort();
      if (data->has_labels() && data->labels(ends).min().item<int64_t>() < 0) std::abort();
    } catch (const mas::Error& error) {
      const std::string text = error.what();
      if (text.empty() || text.find('\n') != std::string::npos) std::abort();
    }
  }
  close(descriptor);
  return 0;
}
