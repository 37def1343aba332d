#pragma once
#include "mas/io/model_file.h"

namespace mas::test {

/// What tests/format/model-1.0.h5 holds: something of every part, with values that depend on no random numbers.
inline ModelFile golden_model() {
  ModelFile model;
  model.arch = {{"kind", "mlp"}, {"widths", {3, 2, 2}}};
  model.script = std::string("PK\x03\x04\0 not a real module", 22);
  model.weights["layers.0.bias"] = at::arange(2, at::kDouble) / 4;
  model.weights["layers.0.weight"] = at::arange(-3, 3, at::kFloat).reshape({2, 3});
  model.buffers["norm.num_batches_tracked"] = at::full({}, 7, at::kLong);
  model.buffers["norm.running_mean"] = at::full({2}, 0.5, at::kFloat);
  model.buffers["norm.seen"] = at::ones({1}, at::kBool);
  for (const char* task : {"low", "high"}) model.heads[task]["fc.weight"] = at::eye(2, at::kFloat);
  model.importance.closed["layers.0.weight"] = at::full({2, 3}, 0.25, at::kFloat);
  model.importance.sum["layers.0.weight"] = at::arange(6, at::kDouble).reshape({2, 3});
  model.importance.count = 5000000000;
  model.importance.tasks = 2;
  model.importance.closed_tasks = 1;
  model.importance.method = "mas";
  model.importance.estimator = "batch:20";
  model.importance.combine = "ema:0.5";
  model.tasks = {{{"name", "low"}, {"seed", 1}}, {{"name", "h\xc3\xb6her"}, {"seed", 2}}};
  model.results = {{{"accuracy", {0.97, nullptr}}}};
  model.optimizer["anchor/layers.0.weight"] = at::zeros({2, 3}, at::kFloat);
  model.optimizer["step"] = at::full({}, 3, at::kLong);
  model.progress = {{"epoch", 2}};
  return model;
}

}  // namespace mas::test
