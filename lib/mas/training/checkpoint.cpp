#include "mas/training/checkpoint.h"

#include <fmt/format.h>

#include <limits>

#include "mas/error.h"
#include "mas/text.h"

namespace mas {
namespace {

void put(NamedTensors& into, const std::string& prefix, const NamedTensors& from) {
  for (const auto& [name, tensor] : from) into[prefix + name] = tensor;
}

NamedTensors take(const NamedTensors& from, const std::string& prefix) {
  NamedTensors part;
  for (auto it = from.lower_bound(prefix); it != from.end() && it->first.rfind(prefix, 0) == 0; ++it) {
    part[it->first.substr(prefix.size())] = it->second;
  }
  return part;
}

// Somebody may have edited the file: a number that training could never have reached would train for ever.
int64_t count_of(const ModelFile& file, const char* key, int64_t most, const std::string& name) {
  const auto it = file.progress.find(key);
  if (it == file.progress.end()) throw Error(name, "/progress isn't that of a checkpoint");
  if (!it->is_number_integer() || *it < 0 || *it > most) {
    throw Error(name, fmt::format("/progress: {} is {}, expected a whole number from 0 to {}", key, it->dump(), most));
  }
  return it->get<int64_t>();
}

}  // namespace

void store_state(ModelFile& file, const TrainState& state, const Optimizer& optimizer) {
  file.optimizer.clear();
  put(file.optimizer, "state/", optimizer.state());
  put(file.optimizer, "anchor/", state.anchor);
  put(file.optimizer, "begin/", state.begin);
  put(file.optimizer, "start/", state.path.start);
  put(file.optimizer, "path/", state.path.integral);
  put(file.optimizer, "best/", state.best);
  file.progress = {{"epoch", state.epoch},
                   {"steps", optimizer.steps()},
                   {"best_accuracy", state.best_accuracy},
                   {"best_epoch", state.best_epoch}};
}

bool has_state(const ModelFile& file) { return !file.progress.is_null(); }

TrainState restore_state(const ModelFile& file, int64_t epochs, const std::string& name) {
  TrainState state;
  state.epoch = count_of(file, "epoch", epochs, name);
  state.best_epoch = count_of(file, "best_epoch", state.epoch, name);
  const auto accuracy = file.progress.find("best_accuracy");
  if (accuracy == file.progress.end() || !accuracy->is_number() || !(*accuracy >= -1 && *accuracy <= 1)) {
    throw Error(name, "/progress: best_accuracy isn't a fraction");
  }
  state.best_accuracy = accuracy->get<double>();
  // Copies: training writes into the model's tensors, and these stay as they are.
  for (const auto& [prefix, into] : {std::pair{"anchor/", &state.anchor},
                                     {"begin/", &state.begin},
                                     {"start/", &state.path.start},
                                     {"path/", &state.path.integral},
                                     {"best/", &state.best}}) {
    for (const auto& [tensor, value] : take(file.optimizer, prefix)) (*into)[tensor] = value.clone();
  }
  return state;
}

void check_part(const NamedTensors& tensors, const std::string& group, const std::string& tensor,
                const at::Tensor& like, const std::string& name) {
  const std::string path = fmt::format("/optimizer/{}/{}", group, tensor);
  const auto expected = [&] {
    return fmt::format("{} of {}", type_text(like.scalar_type()), shape_text(like.sizes()));
  };
  const auto it = tensors.find(tensor);
  if (it == tensors.end()) throw Error(name, fmt::format("{} is missing, expected {}", path, expected()));
  const at::Tensor& found = it->second;
  if (found.sizes() == like.sizes() && found.scalar_type() == like.scalar_type()) return;
  throw Error(name, fmt::format("{}: {} of {}, expected {}", path, type_text(found.scalar_type()),
                                shape_text(found.sizes()), expected()));
}

void restore_optimizer(const ModelFile& file, Optimizer& optimizer, const std::string& name) {
  const int64_t steps = count_of(file, "steps", std::numeric_limits<int64_t>::max() / 2, name);
  optimizer.restore(take(file.optimizer, "state/"), steps, name);
}

void remove_state(ModelFile& file) {
  file.optimizer.clear();
  file.progress = nullptr;
}

}  // namespace mas
