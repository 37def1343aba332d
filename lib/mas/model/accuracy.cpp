#include "mas/model/accuracy.h"

#include <fmt/format.h>

#include "mas/data/loader.h"
#include "mas/model/objective.h"
#include "mas/text.h"

namespace mas {

void check_input(const Model& model, const Dataset& data, const std::string& spec) {
  if (data.stored_type() == at::kLong && !model.network().takes_ids()) {
    throw Error(spec, fmt::format("integers of 16 bits and more are token ids, which {} can't take; store pixels as "
                                  "uint8, other values as floats",
                                  model.name()));
  }
  Shape input = model.network().input(), shape = data.sample_shape();
  if (shape == input) return;
  if (input.size() == 2) input.insert(input.begin(), 1);  // sequences, which are read as images of one channel
  if (shape == input && model.network().has_own_head()) return;
  throw Error(spec, fmt::format("samples of {} values, but {} takes {}", shape_text(shape), model.name(),
                                shape_text(model.network().input())));
}

void check_vectors(const Model& model, Scenario scenario, const Dataset& data, const std::string& spec) {
  if (scenario != Scenario::kFacts) return;
  const at::Tensor vectors = data.class_vectors();
  if (!vectors.defined()) throw Error(spec, "has no facts with vectors, which scenario facts needs; see mas(7), FACTS");
  if (vectors.size(1) == 0)
    throw Error(spec, "its facts have no vectors to compare with; add vectors=FILE, word2vec's or GloVe's");
  if (const int64_t outputs = model.network().feature_size(); vectors.size(1) != outputs)
    throw Error(spec, fmt::format("its facts have vectors of {} values, but {} gives {} outputs", vectors.size(1),
                                  model.name(), outputs));
}

void require_finite(const at::Tensor& outputs, const at::Tensor& images, const Model& model, const TaskRecord& task) {
  if (at::isfinite(outputs).all().item<bool>()) return;
  if (images.is_floating_point() && !at::isfinite(images).all().item<bool>())
    throw Error(task.data, "holds a value that isn't finite");
  throw NotFinite(model.name(),
                  fmt::format("its outputs for task {} aren't all finite, so it has no answers", task.name));
}

int64_t count_right(const at::Tensor& outputs, const at::Tensor& targets) {
  return outputs.argmax(1).eq(targets).sum().item<int64_t>();
}

Accuracy measure_accuracy(Model& model, const TaskRecord& task, Dataset& data, const std::vector<int64_t>& rows,
                          int64_t batch_size) {
  at::NoGradGuard no_grad;
  model.train(false);
  LoaderOptions options;
  options.batch_size = batch_size;
  const Objective objective(task.scenario, data);
  Loader loader(data, rows, options);
  Accuracy accuracy;
  for (Batch batch; loader.next(batch);) {
    const auto targets = model.targets(batch.labels, task);
    const auto outputs = model.forward(batch.images, task);
    require_finite(outputs, batch.images, model, task);
    accuracy.right += objective.count_right(outputs, targets);
    accuracy.total += targets.numel();
  }
  return accuracy;
}

Accuracy measure_accuracy(Model& model, const TaskRecord& task, Dataset& data, int64_t batch_size) {
  return measure_accuracy(model, task, data, every_row(data), batch_size);
}

}  // namespace mas
