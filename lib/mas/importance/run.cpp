#include "mas/importance/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "mas/data/identity.h"
#include "mas/data/loader.h"
#include "mas/error.h"
#include "mas/fingerprint.h"
#include "mas/gradients.h"
#include "mas/importance/importance.h"
#include "mas/importance/l2.h"
#include "mas/importance/memory.h"
#include "mas/importance/methods.h"
#include "mas/io/atomic_file.h"
#include "mas/io/digest.h"
#include "mas/io/pytorch_file.h"
#include "mas/model/accuracy.h"
#include "mas/model/script_model.h"
#include "mas/random.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr int64_t kFreeShare = 4;  // of the memory that is free, a quarter may be used unless a number is given

struct Shard {
  int64_t index = 0, count = 1;  // index from 0
};

Shard parse_shard(const std::string& text) {
  if (text.empty()) return {};
  const auto parts = cut(text, '/');
  Shard shard;
  if (parts.size() != 2 || !parse_number(parts[0], shard.index) || !parse_number(parts[1], shard.count) ||
      shard.index < 1 || shard.index > shard.count) {
    throw UsageError("--shard", fmt::format("must be I/N with 1 <= I <= N, such as 1/4, got {}", text));
  }
  shard.index--;
  return shard;
}

EstimatorOptions parse_estimator(const ImportanceOptions& options) {
  EstimatorOptions parsed;
  parsed.method = parse_method(options.method).measure;
  parsed.fisher = parse_fisher(options.fisher);
  if (parsed.method == Method::kFisher && options.outputs == "all")
    throw UsageError("--outputs", "all is not for --method ewc: heads side by side are no choice between classes");
  if (options.estimator == "per-sample") return parsed;
  const auto parts = cut(options.estimator, ':');
  if (parts.size() != 2 || parts[0] != "batch" || !parse_number(parts[1], parsed.batch_average) ||
      parsed.batch_average < 1) {
    throw UsageError("--estimator", fmt::format("must be per-sample or batch:N, got {}", options.estimator));
  }
  if (parsed.method != Method::kMas) throw UsageError("--estimator", "batch:N is for --method mas");
  if (options.memory > 0) throw UsageError("--memory", "can't bound batch:N, which takes N samples at a time");
  return parsed;
}

bool is_fisher(const ImportanceOptions& options) { return method_called(options.method).measure == Method::kFisher; }
bool is_constant(const ImportanceOptions& options) {
  return method_called(options.method).origin == ImportanceMethod::Origin::kConstant;
}
bool takes(Fisher kind, const ImportanceOptions& options) {
  return is_fisher(options) && parse_fisher(options.fisher) == kind;
}
bool reads_labels(const ImportanceOptions& options) { return takes(Fisher::kEmpirical, options); }

// What samples are fed as: those of other kinds are another importance.
FeedKind kind_of(const Model& model, const ImportanceOptions& options) {
  const std::string estimator = is_fisher(options) ? "fisher-" + options.fisher : options.estimator;
  return {static_cast<int64_t>(model.tasks().size()), options.method, estimator, options.outputs};
}

// Ω is about outputs: of the running task's head, or of all heads side by side; without tasks, of the network itself.
Forward make_forward(Model& model, const std::string& outputs) {
  if (model.tasks().empty()) return [&model](const at::Tensor& x) { return model.features(x); };
  const TaskRecord& running = model.tasks().back();
  if (outputs == "all" && running.scenario == Scenario::kTask) {
    return [&model](const at::Tensor& x) { return model.forward_all(x); };
  }
  return [&model, &running](const at::Tensor& x) { return model.forward(x, running); };
}

struct Source {
  std::string spec;
  std::unique_ptr<Dataset> data;
  std::vector<int64_t> rows;
};

OpenOptions open_options(const ImportanceOptions& options) {
  OpenOptions open = options.open;
  open.want_labels = reads_labels(options);
  open.make_cache = !options.data.empty();  // what a file says, makes no other
  return open;
}

bool has_vectors(const Model& model) {
  return !model.tasks().empty() && model.tasks().back().scenario == Scenario::kFacts;
}

// Labels as indices of outputs. Without tasks, a label is the number of an output.
at::Tensor targets_of(const Model& model, const at::Tensor& labels, const std::string& data) {
  if (!model.tasks().empty()) return model.targets(labels, model.tasks().back(), data);
  const int64_t outputs = model.network().feature_size();
  for (const int64_t label : {labels.min().item<int64_t>(), labels.max().item<int64_t>()}) {
    if (label < 0 || label >= outputs)
      throw Error(data, fmt::format("label {} has no output: {} has {}", label, model.name(), outputs));
  }
  return labels;
}

std::vector<Source> open_sources(const Model& model, const ImportanceOptions& options) {
  auto specs = options.data;
  if (specs.empty()) {
    if (model.tasks().empty()) throw UsageError("--data", "is required: " + model.name() + " has learned no task");
    specs.push_back(model.tasks().back().data);
  }
  const OpenOptions open = open_options(options);
  const Shard shard = parse_shard(options.shard);
  int64_t left = options.limit > 0 ? options.limit : INT64_MAX;
  std::vector<Source> sources;
  for (const auto& spec : specs) {
    const auto parsed = DataSpec::parse(spec);
    Source source{parsed.str(), open_dataset(parsed, open), {}};
    check_input(model, *source.data, source.spec);
    if (reads_labels(options) && has_vectors(model)) check_vectors(model, Scenario::kFacts, *source.data, source.spec);
    if (reads_labels(options) && !source.data->has_labels()) {
      throw Error(source.spec, "has no labels, which --fisher empirical needs; the others don't");
    }
    const int64_t size = std::min(left, source.data->size());
    for (int64_t row = shard.index; row < size; row += shard.count) source.rows.push_back(row);
    left -= size;
    sources.push_back(std::move(source));
  }
  return sources;
}

// Of draws for a source's rows, whose numbers complete it: shards draw what the whole would. Data that are fed once
// more, after `fed` samples, get other draws: the same would tell nothing new.
uint64_t seed_of_draws(uint64_t seed, int64_t fed, size_t source) {
  return derive_seed(seed, fmt::format("fisher/{}/{}", fed, source));
}

// Labels that stay unread aren't compared, and neither are the vectors that go with them.
std::vector<std::string> notes_on_own_data(const Model& model, Dataset& data, OpenOptions open) {
  const TaskRecord& task = model.tasks().back();
  open.want_labels = data.has_labels();
  const auto now = identity_of(data, DataSpec::parse(task.data), open);
  if (task.identity.empty() || (data.has_labels() ? task.identity == now : task.identity.rfind(now, 0) == 0)) return {};
  return {fmt::format("{}: isn't what task {} learned", task.data, task.name)};
}

ImportanceReport summarise(const ImportanceRecord& record) {
  ImportanceReport report;
  report.count = record.count;
  double total = 0, elements = 0;
  for (const auto& [name, sum] : record.sum) {
    total += sum.sum().item<double>();
    elements += static_cast<double>(sum.numel());
    const double most = sum.numel() ? sum.max().item<double>() / static_cast<double>(record.count) : 0;
    if (most > report.largest || report.largest_parameter.empty()) {
      report.largest = most;
      report.largest_parameter = name;
    }
  }
  if (elements > 0) report.mean = total / static_cast<double>(record.count) / elements;
  return report;
}

std::vector<Path> with_frozen(std::vector<Path> paths, const std::set<std::string>& frozen) {
  for (const auto& name : frozen) paths.push_back({name, "frozen", "requires_grad is False"});
  std::sort(paths.begin(), paths.end(), [](const Path& a, const Path& b) { return a.parameter < b.parameter; });
  return paths;
}

void note_without_gradient(const std::string& name, ImportanceReport& report) {
  std::vector<std::string> without;
  size_t frozen = 0;
  for (const auto& path : report.paths) {
    if (path.path == "frozen" || path.path == "unused") without.push_back(path.parameter);
    frozen += path.path == "frozen";
  }
  if (without.empty()) return;
  report.notes.push_back(fmt::format("{}: {} of {} parameters have no gradient ({} frozen, {} unused) and omega 0: {}",
                                     name, without.size(), report.paths.size(), frozen, without.size() - frozen,
                                     listing(without, 4)));
}

// Also that there are no others, so that the other's importance, which is of its weights, is of these.
void check_same_weights(const Model& model, const ModelFile& other, const std::string& path) {
  const auto own = model.shared_parameters();
  for (const auto& [name, value] : own) {
    const auto it = other.weights.find(name);
    if (it == other.weights.end() || !it->second.equal(value)) {
      throw Error(path, fmt::format("{} differs from {}: not the same model", name, model.name()));
    }
  }
  for (const auto& [name, value] : other.weights) {
    if (!own.count(name)) throw Error(path, fmt::format("has {}, {} hasn't: not the same model", name, model.name()));
  }
}

// What tells one shard's importance from another's; empty where all of it is 0, as shards of a dead network's are.
std::string content_of(const ImportanceRecord& record) {
  Fingerprint content;
  bool zero = true;
  for (const auto& [name, sum] : record.sum) {
    const at::Tensor values = sum.contiguous();
    content.add(values.data_ptr(), values.nbytes());
    zero = zero && !values.any().item<bool>();
  }
  content.add(&record.count, sizeof record.count);
  return zero ? "" : content.text();
}

ImportanceReport set_constant(Model& model, const ImportanceOptions& options) {
  if (!options.combine.empty())
    throw UsageError("--combine", "has no meaning with --method l2: its omega is 1, whatever came before");
  set_l2(model);
  ImportanceReport report = summarise(model.file.importance);
  for (const auto& [name, value] : model.trainable_parameters()) report.paths.push_back({name, "constant", ""});
  report.paths = with_frozen(std::move(report.paths), model.network().frozen());
  note_without_gradient(model.name(), report);
  return report;
}

void check_tasks(const Model& model) {
  if (!model.file.progress.is_null()) {
    throw Error(model.name(), "is a checkpoint; end its training with mas-train --resume first");
  }
  if (model.tasks().empty() && !model.network().has_own_head()) {
    throw Error(model.name(), "has learned no task, so it has no outputs; train it first");
  }
}

}  // namespace

Model open_model(const std::string& path, const ImportanceOptions& options) {
  const auto limit = [](const std::string& head) { return is_zip(head) ? size_t{1} << 62 : bytes_to_read(head); };
  const auto bytes = read_block(path, limit);
  const std::string name = input_name(path);
  if (!is_torchscript(bytes->view())) {
    if (!options.returned.empty())
      throw UsageError("--return", "is for a TorchScript module; " + name + " is none, and a model keeps its own");
    if (is_constant(options) && !options.data.empty())
      throw UsageError("--data", "has no meaning with --method " + options.method + ", which reads none");
    return {parse_model(bytes, name), path};
  }
  if (options.data.empty()) {
    const char* why = is_constant(options) ? "doesn't tell the shape of a sample" : "brings no data of its own";
    throw UsageError("--data", fmt::format("is required: {} is a TorchScript module, which {}", name, why));
  }
  const auto spec = DataSpec::parse(options.data.front());
  return make_script_model(std::string(bytes->view()), name, {"", options.returned},
                           *open_dataset(spec, open_options(options)), spec.str());
}

ImportanceReport estimate_importance(Model& model, const ImportanceOptions& options) {
  check_tasks(model);
  parse_method(options.method);
  if (is_constant(options)) return set_constant(model, options);
  EstimatorOptions estimator_options = parse_estimator(options);
  estimator_options.vectors = has_vectors(model);
  if (!options.combine.empty()) parse_combine(options.combine);
  const NamedTensors parameters = model.shared_parameters(), measured = model.trainable_parameters();
  if (measured.empty()) {
    throw Error(model.name(),
                "all its parameters are frozen (requires_grad=False), so there is nothing to measure; to "
                "measure them, save the module after net.requires_grad_(True)");
  }
  check_combinable(model.file.importance, parameters, model.name());
  const int64_t share = options.batch_size == 0 ? free_memory() / kFreeShare : 0;
  if (const int64_t memory = options.memory > 0 ? options.memory : share; memory > 0)
    estimator_options.memory = memory_of_passes(memory - resident_memory(), parameters);
  auto sources = open_sources(model, options);
  int64_t total = 0, fed = 0;
  for (const auto& source : sources) total += static_cast<int64_t>(source.rows.size());
  if (total == 0) throw Error(options.shard.empty() ? "--data" : "--shard", "leaves no samples to feed");
  auto notes =
      options.data.empty() ? notes_on_own_data(model, *sources[0].data, options.open) : std::vector<std::string>{};
  auto& record = model.file.importance;
  begin_feed(record, kind_of(model, options), options.combine, model.name());

  const auto begin = std::chrono::steady_clock::now();
  model.train(false);
  const GradientsOn gradients(measured);
  Estimator estimator(make_forward(model, options.outputs), measured, estimator_options);
  LoaderOptions order;
  order.batch_size = options.batch_size;
  if (order.batch_size == 0) {
    const auto some = std::find_if(sources.begin(), sources.end(), [](const Source& s) { return !s.rows.empty(); });
    order.batch_size = estimator.part_size(some->data->images({some->rows[0]}));
  }
  order.labels = reads_labels(options);
  for (size_t s = 0; s < sources.size(); s++) {
    Source& source = sources[s];
    const uint64_t seed = seed_of_draws(options.seed, record.count, s);
    Loader loader(*source.data, source.rows, order);
    int64_t at = 0;
    for (Batch batch; loader.next(batch);) {
      at::Tensor given;
      const int64_t n = batch.images.size(0);
      const at::ArrayRef<int64_t> numbers(source.rows.data() + at, static_cast<size_t>(n));
      if (order.labels && has_vectors(model))
        given = source.data->class_vectors().index_select(0, batch.labels);
      else if (order.labels)
        given = targets_of(model, batch.labels, source.spec);
      else if (takes(Fisher::kSampled, options))
        given = has_vectors(model) ? normal_draws(numbers, model.network().feature_size(), seed) : draws(numbers, seed);
      at += n;
      estimator.add(batch.images, given);
      fed += batch.images.size(0);
      if (options.progress) options.progress(fed, total);
    }
  }
  NamedTensors sums = estimator.sum();
  for (const auto& name : model.network().frozen()) sums[name] = at::zeros(parameters.at(name).sizes(), at::kDouble);
  feed(record, sums, estimator.count());

  ImportanceReport report = summarise(record);
  report.fed = fed;
  report.notes = std::move(notes);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  report.paths = with_frozen(estimator.paths(), model.network().frozen());
  note_without_gradient(model.name(), report);
  int64_t looped = 0, without = 0;
  for (const auto& path : report.paths) {
    looped += path.path == "loop";
    without += path.path == "no local rule";
  }
  if (looped > 0) {
    report.verbose_hint =
        fmt::format("{} of {} parameters took the one-sample loop, which is exact but slow; --verbose tells why",
                    looped, report.paths.size());
  } else if (without > 0) {
    report.verbose_hint = fmt::format("{} of {} parameters have no local rule and get 0; --verbose tells which",
                                      without, report.paths.size());
  }
  return report;
}

ImportanceReport merge_importance(Model& model, const std::vector<std::string>& files,
                                  const ImportanceOptions& options) {
  check_tasks(model);
  if (!options.combine.empty()) parse_combine(options.combine);
  ImportanceRecord merged = model.file.importance;
  std::map<std::string, std::string> seen;  // what was fed -> the file that holds it
  const auto refuse_twice = [&](const ImportanceRecord& record, const std::string& path) {
    const std::string content = content_of(record);
    const auto [other, fresh] = seen.emplace(content, path);
    if (!fresh && !content.empty())
      throw Error(path, fmt::format("has the same importance as {}, and would count twice", other->second));
  };
  if (!merged.sum.empty() && merged.tasks == static_cast<int64_t>(model.tasks().size()))
    refuse_twice(merged, model.name());
  for (const auto& path : files) {
    const ModelFile other = read_model(path);
    check_same_weights(model, other, path);
    check_combinable(other.importance, model.shared_parameters(), path);
    const auto tasks = static_cast<int64_t>(model.tasks().size());
    if (other.importance.sum.empty() || other.importance.tasks != tasks) {
      throw Error(path, "has no importance of the running task to merge");
    }
    refuse_twice(other.importance, path);
    merge(merged, other.importance, options.combine, path);
  }
  model.file.importance = std::move(merged);
  return summarise(model.file.importance);
}

void reset_importance(Model& model) {
  auto& record = model.file.importance;
  // Samples of a task that was left since belong to what is closed next.
  if (record.tasks != static_cast<int64_t>(model.tasks().size())) return;
  record.sum.clear();
  record.count = 0;
}

void forget_importance(Model& model) {
  check_tasks(model);
  model.file.importance = {};
}

}  // namespace mas
