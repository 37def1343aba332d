#include "mas/training/joint.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "mas/data/loader.h"
#include "mas/error.h"
#include "mas/model/objective.h"
#include "mas/random.h"

namespace mas {
namespace {

class JointDataset : public Dataset {
 public:
  JointDataset(std::vector<std::unique_ptr<Dataset>> parts, const Model& model) : parts_(std::move(parts)) {
    const JointTasks tasks(model, static_cast<int64_t>(parts_.size()));
    for (size_t i = 0; i < parts_.size(); i++) {
      begins_.push_back(size_);
      size_ += parts_[i]->size();
      const auto labels = parts_[i]->classes();
      at::Tensor targets = tasks.targets(model, at::tensor(labels, at::kLong), i);
      if (const auto vectors = parts_[i]->class_vectors(); model.tasks().back().scenario == Scenario::kFacts) {
        if (i > 0) targets = targets + class_vectors_.size(0);
        class_vectors_ = i > 0 ? at::cat({class_vectors_, vectors}) : vectors;
      }
      auto& own = targets_.emplace_back();
      for (size_t j = 0; j < labels.size(); j++) own[labels[j]] = targets[static_cast<int64_t>(j)].item<int64_t>();
    }
  }

  int64_t size() const override { return size_; }
  std::vector<int64_t> sample_shape() const override { return parts_.front()->sample_shape(); }
  bool has_labels() const override { return true; }
  at::Tensor class_vectors() const override { return class_vectors_; }
  at::ScalarType stored_type() const override { return parts_.front()->stored_type(); }

  size_t part_of(int64_t row) const {
    return static_cast<size_t>(std::upper_bound(begins_.begin(), begins_.end(), row) - begins_.begin()) - 1;
  }

  std::vector<int64_t> classes() const override {
    std::vector<int64_t> all;
    for (const auto& part : targets_)
      for (const auto& [label, target] : part) all.push_back(target);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

  at::Tensor images(at::ArrayRef<int64_t> rows) override {
    return collect(rows, [](Dataset& part, const std::vector<int64_t>& own, size_t) { return part.images(own); });
  }

  at::Tensor augmented(at::ArrayRef<int64_t> rows, const Augmentation& augmentation, uint64_t seed) override {
    return collect(rows, [&](Dataset& part, const std::vector<int64_t>& own, size_t i) {
      return part.augmented(own, augmentation, derive_seed(seed, std::to_string(i)));
    });
  }

  at::Tensor labels(at::ArrayRef<int64_t> rows) override {
    return collect(rows, [&](Dataset& part, const std::vector<int64_t>& own, size_t i) {
      at::Tensor targets = part.labels(own).clone();
      auto* values = targets.data_ptr<int64_t>();
      for (int64_t j = 0; j < targets.numel(); j++) values[j] = targets_[i].at(values[j]);
      return targets;
    });
  }

 private:
  // Asks each part once for its rows, and puts what it gives where the rows were asked for.
  template <typename Read>
  at::Tensor collect(at::ArrayRef<int64_t> rows, const Read& read) {
    std::vector<at::Tensor> pieces;
    std::vector<int64_t> places;
    for (size_t i = 0; i < parts_.size(); i++) {
      std::vector<int64_t> own;
      for (size_t j = 0; j < rows.size(); j++) {
        const int64_t row = rows[j] - begins_[i];
        if (row < 0 || row >= parts_[i]->size()) continue;
        own.push_back(row);
        places.push_back(static_cast<int64_t>(j));
      }
      if (!own.empty()) pieces.push_back(read(*parts_[i], own, i));
    }
    const at::Tensor all = at::cat(pieces);
    return at::empty_like(all).index_copy_(0, at::tensor(places, at::kLong), all);
  }

  std::vector<std::unique_ptr<Dataset>> parts_;
  std::vector<int64_t> begins_;  // first row of each part
  std::vector<std::map<int64_t, int64_t>> targets_;
  at::Tensor class_vectors_;  // in scenario facts those of all parts, one after the other
  int64_t size_ = 0;
};

}  // namespace

std::vector<TaskRecord> last_tasks(const Model& model, int64_t count) {
  const auto& tasks = model.tasks();
  if (count < 1 || count > static_cast<int64_t>(tasks.size()))
    throw Error(model.name(), fmt::format("has {} tasks, not {} to train at once", tasks.size(), count));
  return {tasks.end() - count, tasks.end()};
}

JointTasks::JointTasks(const Model& model, int64_t count)
    : tasks_(last_tasks(model, count)), offsets_(tasks_.size(), 0) {
  if (tasks_.front().scenario != Scenario::kTask) return;
  std::vector<int64_t> owners;
  for (size_t i = 0; i < tasks_.size(); i++) {
    offsets_[i] = static_cast<int64_t>(owners.size());
    owners.insert(owners.end(), static_cast<size_t>(model.outputs(tasks_[i])), static_cast<int64_t>(i));
  }
  owners_ = at::tensor(owners, at::kLong);
}

at::Tensor JointTasks::outputs(const Model& model, const at::Tensor& x, const at::Tensor& targets) const {
  if (!owners_.defined()) return model.forward(x, tasks_.back());
  const at::Tensor foreign = owners_.unsqueeze(0).ne(owners_.index_select(0, targets).unsqueeze(1));
  return model.forward(x, tasks_).masked_fill(foreign, -std::numeric_limits<double>::infinity());
}

at::Tensor JointTasks::targets(const Model& model, const at::Tensor& labels, size_t i) const {
  return model.targets(labels, tasks_[i]) + offsets_[i];
}

Accuracy JointTasks::measure(Model& model, Dataset& data, const std::vector<int64_t>& rows) const {
  at::NoGradGuard no_grad;
  model.train(false);
  const Objective objective(tasks_.front().scenario, data);
  Loader loader(data, rows, {});
  Accuracy accuracy;
  for (Batch batch; loader.next(batch);) {
    accuracy.right += objective.count_right(outputs(model, batch.images, batch.labels), batch.labels);
    accuracy.total += batch.labels.numel();
  }
  return accuracy;
}

std::unique_ptr<Dataset> join(std::vector<std::unique_ptr<Dataset>> parts, const Model& model) {
  return std::make_unique<JointDataset>(std::move(parts), model);
}

size_t part_of(const Dataset& data, int64_t row) {
  const auto* joint = dynamic_cast<const JointDataset*>(&data);
  return joint ? joint->part_of(row) : 0;
}

}  // namespace mas
