#include "mas/model/script_model.h"

#include "mas/error.h"
#include "mas/model/script_network.h"

namespace mas {

Model make_script_model(const std::string& bytes, const std::string& name, const ScriptOutput& output, Dataset& data,
                        const std::string& spec) {
  if (data.size() == 0) throw Error(spec, "has no samples");
  // The first one twice: a module that was traced with one sample may take no other number.
  auto network = std::make_unique<ScriptNetwork>(bytes, name, output, data.images({0, 0}), spec);
  const auto arch = network->architecture();
  return {std::move(network), arch, bytes};
}

}  // namespace mas
