// The readers of data files on any bytes, with several specs.
#include "mas/data/dataset.h"

#include <cstdlib>
#include <string>

#include "fuzz/file_of.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const int descriptor = mas::fuzz::file_of(bytes, size);
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  for (const char* keys : {"", ",labels=first", ",labels=none,split=0.5", ",classes=0-3,limit=5"}) {
    try {
      const auto data = mas::open_dataset(mas::DataSpec::parse(path + keys), {});
      if (data->size() < 1) std::abort();
      const std::vector<int64_t> ends{0, data->size() - 1};
      if (data->images(ends).size(0) != 2) std::abort();
      if (data->has_labels() && data->labels(ends).min().item<int64_t>() < 0) std::abort();
    } catch (const mas::Error& error) {
      mas::fuzz::check_message(error);
    }
  }
  close(descriptor);
  return 0;
}
