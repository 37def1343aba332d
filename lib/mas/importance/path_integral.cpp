#include "mas/importance/path_integral.h"

#include <fmt/format.h>

#include "mas/importance/importance.h"

namespace mas {
namespace {

FeedKind kind_of(const Model& model, double xi) {
  return {static_cast<int64_t>(model.tasks().size()), "si", fmt::format("path:{}", xi), "head"};
}

}  // namespace

TrainingPath begin_path(const Model& model) {
  TrainingPath path;
  for (const auto& [name, value] : model.trainable_parameters()) {
    path.start[name] = value.detach().clone();
    path.integral[name] = at::zeros(value.sizes(), at::kFloat);
  }
  return path;
}

void set_path_importance(Model& model, const TrainingPath& path, double xi) {
  NamedTensors omega;
  for (const auto& [name, value] : model.shared_parameters()) {
    const auto integral = path.integral.find(name);
    if (integral == path.integral.end()) {  // frozen
      omega[name] = at::zeros(value.sizes(), at::kDouble);
      continue;
    }
    const at::Tensor way = value.detach().to(at::kDouble) - path.start.at(name);
    omega[name] = (integral->second.to(at::kDouble) / (way.square() + xi)).clamp_min(0);
  }
  ImportanceRecord& record = model.file.importance;
  begin_feed(record, kind_of(model, xi), "", model.name());
  feed(record, omega, 1);
}

void check_path_importance(const Model& model, double xi) {
  check_feed(model.file.importance, kind_of(model, xi), "", model.name());
}

}  // namespace mas
