#include "mas/training/prepare.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "mas/data/facts/words.h"
#include "mas/data/identity.h"
#include "mas/data/remarks.h"
#include "mas/error.h"
#include "mas/fingerprint.h"
#include "mas/importance/path_integral.h"
#include "mas/io/atomic_file.h"
#include "mas/line.h"
#include "mas/model/architecture.h"
#include "mas/model/pretrained.h"
#include "mas/model/script_model.h"
#include "mas/model/sequence.h"
#include "mas/text.h"
#include "mas/training/checkpoint.h"
#include "mas/training/joint.h"
#include "mas/training/trained_parameters.h"

namespace mas {
namespace {

// The model file holds JSON: what can't stand in it is refused before the training, not after.
void check_text(const char* option, const std::string& text) {
  try {
    nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw UsageError(option, "isn't UTF-8 text");
  }
}

// A task's name stands in lines and tables, and tells it from the others.
void check_names(const std::vector<std::string>& names) {
  const char* const option = "--task";
  std::set<std::string> seen;
  for (const auto& name : names) {
    check_text(option, name);
    if (harmless_line(name) != name)
      throw UsageError(option, fmt::format("has control characters: {}", harmless_line(name)));
    if (!seen.insert(name).second)
      throw UsageError(option, fmt::format("{} is given twice; each --data is a task of its own", name));
  }
}

// The option that chose it; null: none.
const char* option_of(const ScriptOutput& output) {
  return !output.features.empty() ? "--features" : !output.returned.empty() ? "--return" : nullptr;
}

// As far as no model has to be known.
TrainOptions train_options(const TaskOptions& o) {
  TrainOptions train = o.train;
  train.joint = static_cast<int64_t>(o.data.size());
  train.optimizer.lr = o.lr.value_or(train.optimizer.kind == OptimizerOptions::Kind::kAdam ? 1e-3 : 1e-2);
  train.penalty_step = o.penalty_step.value_or(PenaltyStep::kGradient);
  train.code = o.code.value_or(0);
  train.scratch = o.open.scratch;
  return train;
}

// A step of a penalty that there isn't.
void check_penalty_step(const TaskOptions& o) {
  if (!o.penalty_step) return;
  const char* const option = "--penalty-step";
  if (!o.arch.empty()) throw UsageError(option, "is for a penalty, and a new network has none; leave it out");
  if (o.lambda && *o.lambda == 0) throw UsageError(option, "is for a penalty, and --lambda 0 leaves none");
  if (o.train.distill.active() && !o.lambda)
    throw UsageError(option, "is for a penalty, and with --distill there is none unless --lambda is given");
}

// What is wrong whatever the data and the model are.
void check(const TaskOptions& o) {
  check_names(o.names);
  for (const auto& spec : o.data) check_text("--data", spec);
  if (!o.names.empty() && o.names.size() != o.data.size()) {
    throw UsageError("--task",
                     fmt::format("{} name{} for {} --data: each --data is a task of its own in joint training; "
                                 "give each a name, or none",
                                 o.names.size(), o.names.size() == 1 ? "" : "s", o.data.size()));
  }
  check_text("--arch", o.arch);
  if (!o.init.empty() && o.arch.empty()) {
    throw UsageError("--init", "gives weights to a new network; add --arch, or leave it out: the model has its own");
  }
  if (!o.arch.empty() && o.lambda.value_or(0) > 0) {
    throw UsageError("--lambda", "weighs importance, and a new network has none; leave it out");
  }
  check_penalty_step(o);
  if (!o.arch.empty() && o.train.distill.active()) {
    throw UsageError("--distill",
                     "keeps what earlier tasks taught, and a new network has learned none; leave it out "
                     "for the first task");
  }
  if (const auto* option = option_of(o.output); option && o.arch.empty()) {
    throw UsageError(option, "is for a new network: --arch FILE.pt; a model keeps its own");
  }
  check_text("--features", o.output.features);
  check_text("--return", o.output.returned);
  check_train_options(train_options(o));
  if (!o.scenario.empty()) parse_scenario(o.scenario);
}

std::vector<std::unique_ptr<Dataset>> open_labelled(const TaskOptions& o) {
  std::vector<std::unique_ptr<Dataset>> all;
  for (const auto& spec : o.data) {
    all.push_back(open_dataset(DataSpec::parse(spec), o.open));
    if (!all.back()->has_labels())
      throw Error(spec, "has no labels to learn from; add them, or name a file of them with labels=");
  }
  return all;
}

// Of a model's first task.
Scenario first_scenario(const TaskOptions& o, const Dataset& data) {
  if (!o.scenario.empty()) return parse_scenario(o.scenario);
  return data.class_vectors().defined() ? Scenario::kFacts : Scenario::kTask;
}

// A network that has learned nothing: where other architectures, and weights from elsewhere, come in.
Model new_model(const TaskOptions& o, Dataset& data) {
  const std::string ending = std::filesystem::path(o.arch).extension();
  if (ending == ".pt" || ending == ".pth") {
    if (!o.init.empty()) throw UsageError("--init", "is for built-in networks: " + o.arch + " brings its own weights");
    return make_script_model(read_input(o.arch), o.arch, o.output, data, o.data.front());
  }
  if (const auto* option = option_of(o.output)) {
    throw UsageError(option, "is for a TorchScript module: --arch FILE.pt");
  }
  auto arch = make_architecture(o.arch, data.sample_shape());
  const at::Tensor vectors = data.class_vectors();
  if (first_scenario(o, data) == Scenario::kFacts && vectors.defined() && vectors.size(1) > 0)
    arch = with_own_outputs(std::move(arch), vectors.size(1));
  return {arch, o.seed};
}

// The network that earlier tasks left.
Model learned_model(const TaskOptions& o) {
  Model model(read_model(o.model), o.model);
  if (has_state(model.file)) throw Error(o.model, "is a checkpoint; go on from it with --resume");
  if (model.file.importance.empty() && o.lambda.value_or(0) > 0) {
    throw Error(o.model, "has no importance, so --lambda has nothing to weigh; compute it with mas-importance first");
  }
  if (model.file.importance.empty() && o.penalty_step) {
    throw Error(o.model, "has no importance, so --penalty-step has no penalty; compute it with mas-importance first");
  }
  if (o.train.distill.active()) check_distillable(model, model.tasks(), o.train.distill);
  return model;
}

// Of the i-th of the tasks that are trained.
TaskRecord make_record(const TaskOptions& o, size_t i, const Model& model, Dataset& data) {
  TaskRecord task;
  task.name = o.names.empty() ? fmt::format("task{}", model.tasks().size() + 1) : o.names[i];
  const auto spec = DataSpec::parse(o.data[i]);
  task.data = spec.str();
  task.identity = identity_of(data, spec, o.open);
  task.classes = data.classes();
  task.seed = o.seed;
  const bool first = model.tasks().empty();
  task.scenario = first || !o.scenario.empty() ? first_scenario(o, data) : model.tasks().front().scenario;
  if (task.scenario == Scenario::kFacts) task.words = word_identities(data);
  if (first && o.scenario.empty() && task.scenario == Scenario::kFacts && data.class_vectors().size(1) == 0)
    throw Error(
        o.data[i],
        "facts are learned as vectors of their words; add vectors=FILE, word2vec's or GloVe's, or learn them as "
        "classes with --scenario task");
  // Of another scenario add_task() says that it is one.
  if (first || task.scenario == model.tasks().front().scenario) check_vectors(model, task.scenario, data, o.data[i]);
  if (task.scenario == Scenario::kFacts && o.code.value_or(0) > 0)
    throw UsageError("--code", "is for classes, and facts have vectors; leave it out");
  if (task.classes.size() == 1 && first && task.scenario != Scenario::kClass && task.scenario != Scenario::kFacts) {
    throw Error(o.data[i], fmt::format("has one class, {}, and nothing to tell it from; a shell takes ; for itself, so "
                                       "quote 'classes=0;1', or write 0-1",
                                       task.classes[0]));
  }
  return task;
}

// As stiff as the gradient step at 1. SGD multiplies the penalty's gradient by lr, as the proximal step does; Adam
// doesn't, its steps have a size of their own.
double default_lambda(const TrainOptions& train) {
  if (train.distill.active()) return 0;  // a method of its own
  const bool adam = train.optimizer.kind == OptimizerOptions::Kind::kAdam;
  return adam && train.penalty_step == PenaltyStep::kProximal ? 1 / train.optimizer.lr : 1;
}

// Enough for the features of a task is most likely enough for those of the next.
int64_t default_code(const TrainOptions& train, const Model& model) {
  if (train.distill.kind != DistillOptions::Kind::kEbll) return 0;
  return model.file.encoders.at(model.tasks().back().name).at("bias").size(0);
}

void check_code(int64_t code, const Model& model) {
  const int64_t features = model.network().feature_size();
  if (code < features || code == 0) return;
  throw UsageError("--code",
                   fmt::format("a code of {} has to be smaller than the {} features of {}; give a smaller one", code,
                               features, model.name()));
}

TrainOptions train_options(const TaskOptions& o, const Model& model) {
  TrainOptions train = train_options(o);
  train.code = o.code.value_or(default_code(o.train, model));
  check_code(train.code, model);
  train.lambda = model.file.importance.empty() ? 0 : o.lambda.value_or(default_lambda(train));
  return train;
}

// What tells weights from others, for the records of the tasks that start from them.
std::string content_of(const StateDict& weights) {
  Fingerprint content;
  for (const auto& [name, value] : weights.tensors) {
    const at::Tensor values = value.contiguous();
    content.add(name.data(), name.size());
    content.add(values.data_ptr(), values.nbytes());
  }
  return content.text();
}

// Weights from elsewhere; the task is there already, because its head may be among them.
void initialize_from_file(StateDict weights, const std::string& path, Model& model, std::vector<std::string>& remarks) {
  for (const auto& notice : adopt_weights(model, std::move(weights), input_name(path))) {
    remarks.push_back(input_name(path) + ": " + notice);
  }
}

// The last task learned is unprotected where no sample of it was fed, unless that is asked for.
void remark_unprotected(const TaskOptions& o, const Model& model, std::vector<std::string>& remarks) {
  if (o.train.distill.active() && !o.lambda) return;
  if (model.tasks().empty() || o.lambda.value_or(1) == 0 || model.trainable_parameters().empty()) return;
  const auto& importance = model.file.importance;
  if (!importance.sum.empty() && importance.tasks == static_cast<int64_t>(model.tasks().size())) return;
  remarks.push_back(fmt::format("{}: task {} has no importance, so nothing holds it still; see mas-importance",
                                model.name(), model.tasks().back().name));
}

void remark_frozen(const Model& model, std::vector<std::string>& remarks) {
  const auto& frozen = model.network().frozen();
  if (frozen.empty()) return;
  remarks.push_back(fmt::format("{}: {} of {} parameters are frozen (requires_grad=False) and stay as they are: {}",
                                model.name(), frozen.size(), model.shared_parameters().size(),
                                listing({frozen.begin(), frozen.end()}, 4)));
}

// Built to be compared with vectors, which these data lack.
void remark_classes(const TaskOptions& o, const Model& model, std::vector<std::string>& remarks) {
  const bool named = o.arch == "facts" || o.arch == "facts-vgg16";
  if (!named || !o.scenario.empty() || model.tasks().front().scenario == Scenario::kFacts) return;
  remarks.push_back(
      fmt::format("{}: has classes, no vectors of facts, so {} gets a head for them; see mas(7), ARCHITECTURES",
                  o.data.front(), o.arch));
}

void remark_data(Dataset& data, const std::string& spec, std::vector<std::string>& remarks) {
  for (const auto& remark : remarks_on(data, spec)) remarks.push_back(remark);
  if (DataSpec::parse(spec).split == Split::kTest)
    remarks.push_back(fmt::format("{}: is the test part, so the task will be tested on what it learns", spec));
}

std::unique_ptr<Dataset> one_of(std::vector<std::unique_ptr<Dataset>> data, const Model& model) {
  return data.size() == 1 ? std::move(data.front()) : join(std::move(data), model);
}

std::unique_ptr<Dataset> open_again(const TaskRecord& task, const TaskOptions& o) {
  const auto spec = DataSpec::parse(task.data);
  OpenOptions open = o.open;
  open.make_cache = false;
  auto data = open_dataset(spec, open);
  const std::string now = identity_of(*data, spec, open);
  if (!task.identity.empty() && now != task.identity) {
    throw Error(task.data,
                fmt::format("isn't what {} was begun with ({}, now {}); bring those data back, or train anew", o.resume,
                            task.identity, now));
  }
  return data;
}

// What a checkpoint says, which somebody may have edited, is held to what the command line is.
TrainOptions options_of(const Model& checkpoint) {
  const std::string& name = checkpoint.name();
  auto train = parse_train_options(checkpoint.tasks().back().options, name);
  try {
    check_code(train.code, checkpoint);
  } catch (const UsageError& error) {
    throw Error(name, fmt::format("/tasks: {}", error.what()));
  }
  if (train.lambda > 0 && checkpoint.file.importance.empty())
    throw Error(name, fmt::format("/importance, which /tasks weighs by lambda {:g}, is missing", train.lambda));
  return train;
}

Training resume(const TaskOptions& o) {
  Model model(read_model(o.resume), o.resume);
  if (!has_state(model.file) || model.tasks().empty()) throw Error(o.resume, "isn't a checkpoint of mas-train");
  auto train = options_of(model);
  train.scratch = o.open.scratch;
  std::vector<std::unique_ptr<Dataset>> parts;
  for (const auto& task : last_tasks(model, train.joint)) {
    parts.push_back(open_again(task, o));
    check_vectors(model, task.scenario, *parts.back(), task.data);
  }
  if (train.track_si) check_path_importance(model, train.xi);
  auto data = one_of(std::move(parts), model);
  return {std::move(model), std::move(data), train, {}};
}

}  // namespace

Training prepare_training(const TaskOptions& o) {
  if (!o.resume.empty()) return resume(o);
  check(o);
  auto parts = open_labelled(o);
  Model model = o.arch.empty() ? learned_model(o) : new_model(o, *parts.front());
  std::vector<std::string> remarks;
  for (size_t i = 0; i < parts.size(); i++) remark_data(*parts[i], o.data[i], remarks);
  remark_unprotected(o, model, remarks);
  if (!o.arch.empty()) remark_frozen(model, remarks);
  const auto train = train_options(o, model);
  auto options = to_json(train);
  StateDict init;
  if (!o.init.empty()) {
    init = read_state_dict(o.init);
    options["init"] = content_of(init);
  }
  for (size_t i = 0; i < parts.size(); i++) {
    check_input(model, *parts[i], o.data[i]);
    if (train.augment.active()) parts[i]->augmented({0}, train.augment, 0);  // throws what the first step would
    TaskRecord task = make_record(o, i, model, *parts[i]);
    task.options = options;
    if (auto remark = remark_on_words(task.words, o.data[i], learned_words(model.tasks())); !remark.empty())
      remarks.push_back(std::move(remark));
    model.add_task(task);
  }
  if (model.shared_parameters().empty()) throw Error(o.arch, "has no layer with weights that tasks could share");
  if (!o.init.empty()) initialize_from_file(std::move(init), o.init, model, remarks);
  remark_classes(o, model, remarks);
  trained_parameters(model, train);  // throws where the options name layers that aren't there
  if (train.track_si) check_path_importance(model, train.xi);
  if (train.track_si && model.trainable_parameters().empty()) {
    throw Error(model.name(),
                "all its parameters are frozen (requires_grad=False), so --track si has no path to record");
  }
  auto data = one_of(std::move(parts), model);
  return {std::move(model), std::move(data), train, std::move(remarks)};
}

}  // namespace mas
