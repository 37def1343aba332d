#include "mas/evaluation/evaluate.h"

#include <fmt/format.h>

#include <algorithm>

#include "mas/data/facts/words.h"
#include "mas/data/identity.h"
#include "mas/error.h"
#include "mas/evaluation/record.h"
#include "mas/model/sequence.h"
#include "mas/text.h"
#include "mas/training/options.h"

namespace mas {
namespace {

using Row = std::vector<std::optional<double>>;

class Counter {
 public:
  Counter(const EvaluationProgress& progress, size_t cells) : progress_(progress), cells_(static_cast<int64_t>(cells)) {
    if (progress_) progress_(0, cells_);
  }
  void next() {
    if (progress_) progress_(++done_, cells_);
  }

 private:
  EvaluationProgress progress_;
  int64_t cells_, done_ = 0;
};

// What the models say makes no cache of pictures, wherever their specs would have it.
OpenOptions read_only(OpenOptions options) {
  options.make_cache = false;
  return options;
}

Row measure_row(Model& model, const std::vector<TaskRecord>& tasks, const OpenOptions& options, Counter& counter) {
  Row row;
  for (const auto& task : tasks) {
    row.push_back(test_accuracy(model, task, options));
    counter.next();
  }
  return row;
}

// b_j of forward transfer: the first task's network as it was before its training. Heads of their own transfer nothing.
Row measure_untrained(const Model& last, const OpenOptions& options) {
  const auto& tasks = last.tasks();
  if (tasks.size() < 2 || !shares_outputs(tasks.front().scenario)) return {};
  Model fresh(last.file.arch, tasks.front().seed, last.file.script);
  fresh.add_task(tasks.front());
  Counter silent({}, 0);
  return measure_row(fresh, tasks, options, silent);
}

// Whether the set that the task's training and test parts are shares of is there, and another than then.
bool has_changed(const TaskRecord& task, const OpenOptions& options) {
  const auto spec = DataSpec::parse(task.data);
  if (task.identity.empty() || !spec.fraction) return false;  // the training part isn't read here otherwise
  try {
    return identity_of(*open_dataset(spec, options), spec, options) != task.identity;
  } catch (const Error&) {
    return false;  // gone, which is no error
  }
}

// The part that the spec names; where it names none, the test part if there is one. `spec` becomes what was opened.
std::unique_ptr<Dataset> open_for_test(DataSpec& spec, const OpenOptions& options) {
  if (spec.split == Split::kAll && has_test_part(spec, options)) spec.split = Split::kTest;
  return open_dataset(spec, options);
}

// The rows that travel in the file, and the model's own measured anew; what can't be measured any more stays as
// recorded.
AccuracyMatrix evaluate_one(Model& model, const OpenOptions& options, const EvaluationProgress& progress) {
  AccuracyMatrix matrix = recorded_matrix(model);
  const auto learned = static_cast<int64_t>(model.tasks().size());
  Row recorded(model.tasks().size());
  for (size_t i = matrix.learned.size(); i-- > 0;) {
    if (matrix.learned[i] != learned) continue;
    recorded = matrix.accuracy[i];
    matrix.learned.erase(matrix.learned.begin() + static_cast<int64_t>(i));
    matrix.models.erase(matrix.models.begin() + static_cast<int64_t>(i));
    matrix.accuracy.erase(matrix.accuracy.begin() + static_cast<int64_t>(i));
  }
  Row row;
  Counter counter(progress, model.tasks().size());
  for (size_t j = 0; j < model.tasks().size(); j++) {
    try {
      row.push_back(test_accuracy(model, model.tasks()[j], options));
    } catch (const NotFinite&) {
      throw;  // the model's fault, not that of its data
    } catch (const Error& error) {
      row.push_back(recorded[j]);
      matrix.notes.push_back(fmt::format("{}: {}: {}", model.tasks()[j].name,
                                         recorded[j] ? "as recorded, it can't be measured again" : "can't be measured",
                                         error.what()));
    }
    counter.next();
  }
  const bool nothing = std::none_of(row.begin(), row.end(), [](const auto& cell) { return cell.has_value(); });
  if (nothing && !matrix.notes.empty()) throw Error(model.name(), matrix.notes.front());
  matrix.learned.push_back(learned);
  matrix.models.push_back("after " + model.tasks().back().name);
  matrix.accuracy.push_back(std::move(row));
  return matrix;
}

// Of several the last.
const Model& longest(const std::vector<Model>& models) {
  const Model* found = &models.front();
  for (const auto& model : models) {
    if (model.tasks().size() >= found->tasks().size()) found = &model;
  }
  return *found;
}

}  // namespace

std::vector<Model> open_models(const std::vector<std::string>& paths) {
  std::vector<Model> models;
  for (const auto& path : paths) {
    Model model(read_model(path), path);
    if (model.tasks().empty()) throw Error(path, "has learned no task; teach it one with mas-train");
    if (!models.empty()) check_same_tasks(longest(models), model);
    models.push_back(std::move(model));
  }
  return models;
}

const std::vector<TaskRecord>& all_tasks(const std::vector<Model>& models) { return longest(models).tasks(); }

AccuracyMatrix evaluate_tasks(std::vector<Model>& models, const OpenOptions& given,
                              const EvaluationProgress& progress) {
  const OpenOptions options = read_only(given);
  const auto& tasks = all_tasks(models);
  AccuracyMatrix matrix;
  if (models.size() == 1) {
    matrix = evaluate_one(models.front(), options, progress);
  } else {
    matrix.measure = measure_of(tasks.front().scenario);
    for (const auto& task : tasks) matrix.tasks.push_back(task.name);
    Counter counter(progress, models.size() * tasks.size());
    for (auto& model : models) {
      matrix.learned.push_back(static_cast<int64_t>(model.tasks().size()));
      matrix.models.push_back(model.name());
      matrix.accuracy.push_back(measure_row(model, tasks, options, counter));
    }
  }
  const auto learned = static_cast<size_t>(matrix.learned.back());
  if (learned != matrix.tasks.size()) {  // measure() gives none then
    matrix.notes.push_back(
        fmt::format("{} has learned {} of {} tasks; the measures need models in the order of learning, "
                    "the last one with all tasks",
                    matrix.models.back(), learned, matrix.tasks.size()));
  }
  for (const auto& task : tasks) {
    if (has_changed(task, options))
      matrix.notes.push_back(fmt::format("{}: {} isn't what it learned", task.name, task.data));
    if (DataSpec::parse(task.data).split == Split::kTest)
      matrix.notes.push_back(fmt::format("{}: tested on what it learned, {}", task.name, task.data));
  }
  try {
    matrix.untrained = measure_untrained(longest(models), options);
  } catch (const Error&) {
    if (models.size() > 1) throw;  // a single model may have outlived its data; then there is no FWT
  }
  return matrix;
}

void check_joint(const Model& joint, const std::vector<TaskRecord>& tasks) {
  if (tasks.front().scenario == Scenario::kClass) {
    throw Error(joint.name(),
                "answers among the classes of all tasks in scenario class, but R[j][j] is among those of the first j "
                "alone, so intransigence can't be told");
  }
  const auto& own = joint.tasks();
  const int64_t together = parse_train_options(own.back().options, joint.name()).joint;
  for (const auto& task : tasks) {
    const auto same = std::find_if(own.begin(), own.end(), [&](const TaskRecord& t) { return t.name == task.name; });
    if (same == own.end())
      throw Error(joint.name(), fmt::format("has no task {}, so it isn't the joint model", task.name));
    if (same->scenario != task.scenario || same->classes != task.classes) {
      throw Error(joint.name(),
                  fmt::format("its task {} is of another scenario or of other classes, so it isn't the joint model",
                              task.name));
    }
    if (own.end() - same > together) {
      throw Error(joint.name(),
                  fmt::format("didn't learn {} together with the other tasks, so it isn't the joint model; "
                              "train one with the --data of all",
                              task.name));
    }
  }
}

void measure_joint(AccuracyMatrix& matrix, Model& joint, const std::vector<TaskRecord>& tasks,
                   const OpenOptions& options) {
  Counter silent({}, 0);
  matrix.joint = measure_row(joint, tasks, read_only(options), silent);
}

AccuracyMatrix evaluate_data(std::vector<Model>& models, const std::string& spec, const std::string& among,
                             const OpenOptions& options, const EvaluationProgress& progress) {
  AccuracyMatrix matrix;
  matrix.measure = measure_of(longest(models).tasks().front().scenario);
  if (!among.empty() && longest(models).tasks().front().scenario != Scenario::kFacts)
    throw UsageError("--among", "is for facts, and these tasks are of classes");
  auto chosen = DataSpec::parse(spec);
  const auto data = open_for_test(chosen, options);
  matrix.tasks.push_back(chosen.str());
  if (!data->has_labels()) throw Error(spec, "has no labels, so accuracy can't be measured");
  const auto words = word_identities(*data);
  std::unique_ptr<Dataset> others;
  if (!among.empty()) {
    auto more = DataSpec::parse(among);
    others = open_for_test(more, options);
    if (!others->has_labels()) throw Error(among, "has no labels, so nobody knows what its pictures show");
    if (const auto differ = words_that_differ(words, word_identities(*others)); !differ.empty())
      throw Error(among, fmt::format("has other vectors of {} than {}, so none of its pictures answers; name the same "
                                     "vectors= or seed=",
                                     listing(differ, 4), spec));
  }
  Dataset& searched = others ? *others : *data;
  Counter counter(progress, models.size());
  for (auto& model : models) {
    check_input(model, *data, spec);
    check_vectors(model, model.tasks().back().scenario, *data, spec);
    if (others) {
      check_input(model, *others, among);
      check_vectors(model, model.tasks().back().scenario, *others, among);
    }
    if (const auto remark = remark_on_words(words, spec, learned_words(model.tasks())); !remark.empty())
      matrix.notes.push_back(fmt::format("{}: {}", model.name(), remark));
    model.targets(at::tensor(data->classes(), at::kLong), model.tasks().back(), spec);  // names a label without output
    matrix.models.push_back(model.name());
    matrix.learned.push_back(1);
    matrix.accuracy.push_back({measure_cell(model, model.tasks().back(), *data, searched, options)});
    counter.next();
  }
  return matrix;
}

void record_matrix(ModelFile& file, const AccuracyMatrix& matrix) {
  for (size_t i = 0; i < matrix.models.size(); i++) {
    for (size_t j = 0; j < matrix.tasks.size(); j++) {
      if (matrix.accuracy[i][j]) record_result(file, matrix.learned[i], matrix.tasks[j], *matrix.accuracy[i][j]);
    }
  }
}

}  // namespace mas
