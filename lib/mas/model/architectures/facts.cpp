#include "mas/model/architectures/architectures.h"

namespace mas {
namespace {

using nlohmann::json;

// Elhoseiny et al. 2017 and Aljundi et al. 2018, section 5.2: parts of a fact have branches of their own on one trunk.
json branches(int width) {
  json all;
  for (const char* part : {"subject", "predicate", "object"}) all.push_back({named_linear(part, width), plain("relu")});
  return {{"type", "concat"}, {"branches", all}};
}

}  // namespace

json facts_convnet(const std::string&) {
  const json relu = plain("relu"), pool = max_pool(2, 2);
  return {{"layers",
           {named_conv("conv1", 16, 3, 1), relu, pool, named_conv("conv2", 32, 3, 1), relu, pool,
            named_conv("conv3", 64, 3, 1), relu, pool, plain("flatten"), branches(96)}}};
}

json facts_vgg16(const std::string&) {
  json arch = vgg16("");
  arch["layers"].push_back(branches(512));
  arch["new"] = {"subject", "predicate", "object"};
  return arch;
}

}  // namespace mas
