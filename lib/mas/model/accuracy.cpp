#include "mas/model/accuracy.h"

#include <fmt/format.h>

#include <numeric>

#include "mas/data/loader.h"
#include "mas/error.h"
#include "mas/text.h"

namespace mas {

void check_input(const Model& model, const Dataset& data, const std::string& spec) {
  if (data.sample_shape() == model.network().input()) return;
  throw Error(spec, fmt::format("samples of {} values, but {} takes {}", shape_text(data.sample_shape()), model.name(),
                                shape_text(model.network().input())));
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
  Loader loader(data, rows, options);
  Accuracy accuracy;
  for (Batch batch; loader.next(batch);) {
    const auto targets = model.targets(batch.labels, task);
    accuracy.right += count_right(model.forward(batch.images, task), targets);
    accuracy.total += targets.numel();
  }
  return accuracy;
}

Accuracy measure_accuracy(Model& model, const TaskRecord& task, Dataset& data, int64_t batch_size) {
  std::vector<int64_t> rows(data.size());
  std::iota(rows.begin(), rows.end(), 0);
  return measure_accuracy(model, task, data, rows, batch_size);
}

}  // namespace mas
