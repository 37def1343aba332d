#include "mas/model/architectures/architectures.h"

namespace mas {

// Krizhevsky 2014 ("One weird trick"), as torchvision has it.
nlohmann::json alexnet(const std::string&) {
  const nlohmann::json relu = plain("relu"), pool = max_pool(3, 2);
  return {{"head", "classifier.6"},
          {"layers",
           {named_conv("features.0", 64, 11, 2, 4),
            relu,
            pool,
            named_conv("features.3", 192, 5, 2),
            relu,
            pool,
            named_conv("features.6", 384, 3, 1),
            relu,
            named_conv("features.8", 256, 3, 1),
            relu,
            named_conv("features.10", 256, 3, 1),
            relu,
            pool,
            {{"type", "adaptive_avg_pool2d"}, {"out", 6}},
            plain("flatten"),
            plain("dropout"),
            named_linear("classifier.1", 4096),
            relu,
            plain("dropout"),
            named_linear("classifier.4", 4096),
            relu}}};
}

}  // namespace mas
