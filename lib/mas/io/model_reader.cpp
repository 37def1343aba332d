#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <map>
#include <memory>

#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/io/block.h"
#include "mas/io/digest.h"
#include "mas/io/hdf5.h"
#include "mas/io/hdf5_pieces.h"
#include "mas/io/model_check.h"
#include "mas/io/model_file.h"
#include "mas/io/rehearsal.h"
#include "mas/io/unknown_content.h"
#include "mas/json.h"
#include "mas/text.h"

namespace mas {
namespace {

using hdf5::check;
using hdf5::checked;
using hdf5::Handle;

/// A tensor before it is one: what a forked child can read with nothing but HDF5 and malloc.
struct RawTensor {
  std::vector<int64_t> shape;
  at::ScalarType type;
  std::shared_ptr<void> data;
};
using RawTensors = std::map<std::string, RawTensor>;

struct RawModel {
  std::string arch, tasks, results, progress;  // JSON, empty when absent
  std::string script;
  RawTensors weights, buffers, optimizer, closed, anchor, sum;
  std::map<std::string, RawTensors> heads, encoders;
  ImportanceRecord importance;  // without its tensors
  int format_minor = 0;
  std::shared_ptr<UnknownContent> unknown = std::make_shared<UnknownContent>();
};

// Of bytes that nobody will read again, while the rest of their block is needed still: the system may take the pages.
void forget(void* bytes, size_t count) {
  constexpr uintptr_t kHugePage = uintptr_t{2} << 20;  // smaller pieces would split one
  const auto begin = reinterpret_cast<uintptr_t>(bytes), end = begin + count;
  const uintptr_t first = (begin + kHugePage - 1) / kHugePage * kHugePage, last = end / kHugePage * kHugePage;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_FREE);
}

enum class Kind { kWeights, kBuffers, kClosed, kSum };

class Reader {
 public:
  /// for_good: false where nobody takes what is read; large data that lie in one piece are then only touched.
  Reader(std::shared_ptr<Block> bytes, std::string name, bool for_good)
      : bytes_(std::move(bytes)),
        name_(std::move(name)),
        size_(static_cast<int64_t>(bytes_->size())),
        for_good_(for_good),
        file_(hdf5::open_image(bytes_->view(), name_)) {}

  RawModel read() {
    hdf5::refuse_foreign(file_, name_);
    read_header();
    for (const hdf5::Link& link : hdf5::links(file_, name_)) {
      const std::string& part = link.name;
      if (part == "weights") {
        model_.weights = tensors("/weights", Kind::kWeights);
      } else if (part == "buffers") {
        model_.buffers = tensors("/buffers", Kind::kBuffers);
      } else if (part == "heads") {
        read_by_task("/heads", model_.heads);
      } else if (part == "encoders") {
        read_by_task("/encoders", model_.encoders);
      } else if (part == "importance") {
        read_importance();
      } else if (part == "optimizer") {
        read_nested("/optimizer", "");
      } else if (part == "script") {
        read_script();
      } else if (part == "tasks") {
        model_.tasks = text("/tasks");
      } else if (part == "results") {
        model_.results = text("/results");
      } else if (part == "progress") {
        model_.progress = text("/progress");
      } else {
        model_.unknown->keep_link(file_, "/", link, name_);
      }
    }
    if (model_.weights.empty()) throw Error(name_, "no weights (a group /weights with a data set for each parameter)");
    return std::move(model_);
  }

 private:
  std::string attribute_text(hid_t object, const std::string& part, const std::string& path) {
    if (H5Aexists(object, part.c_str()) <= 0) return "";
    const Handle attribute =
        checked(H5Aopen(object, part.c_str(), H5P_DEFAULT), name_, path + ": unreadable attribute " + part);
    return hdf5::read_text(attribute, size_, path + " attribute " + part, name_);
  }

  int64_t attribute_count(hid_t object, const std::string& part, const std::string& path) {
    if (H5Aexists(object, part.c_str()) <= 0) return 0;
    const std::string what = path + ": attribute " + part + ": expected one integer";
    const Handle attribute = checked(H5Aopen(object, part.c_str(), H5P_DEFAULT), name_, what);
    const Handle space = checked(H5Aget_space(attribute), name_, what);
    const Handle type = checked(H5Aget_type(attribute), name_, what);
    if (H5Tget_class(type) != H5T_INTEGER || H5Sget_simple_extent_npoints(space) != 1) throw Error(name_, what);
    int64_t value = 0;
    check(H5Aread(attribute, H5T_NATIVE_INT64, &value), name_, what);
    return value;
  }

  void read_header() {
    const Handle root = hdf5::open_group(file_, "/", name_);
    const std::string format = attribute_text(root, "format", "/");
    if (format.empty()) throw Error(name_, "not a mas model: an HDF5 file without the attribute format=\"mas-model\"");
    if (format != "mas-model") throw Error(name_, "not a mas model: format \"" + printable(format) + "\"");
    read_version(attribute_text(root, "format_version", "/"));
    model_.arch = attribute_text(root, "arch", "/");
    model_.unknown->keep_attributes(root, "/", {"arch", "format", "format_version"}, size_, name_);
  }

  void read_version(const std::string& version) {
    char* end = nullptr;
    const long major = std::strtol(version.c_str(), &end, 10);
    long minor = 0;
    bool sound = end != version.c_str() && major >= 1;
    if (sound && *end == '.') {
      const char* start = end + 1;
      minor = std::strtol(start, &end, 10);
      sound = end != start && minor >= 0 && minor < 1000000;
    }
    if (!sound || *end != '\0')
      throw Error(name_, "format_version \"" + printable(version) + "\", expected MAJOR.MINOR as text");
    if (major > kModelFormatMajor) {
      throw Error(name_, "format version " + printable(version) + " is newer than this program reads (" +
                             std::to_string(kModelFormatMajor) + "); update mas");
    }
    model_.format_minor = static_cast<int>(minor);
  }

  bool is_dataset(hid_t group, const hdf5::Link& link) {
    if (!hdf5::exists(group, link.name)) return false;  // a soft link that leads nowhere
    const Handle object = checked(H5Oopen(group, link.name.c_str(), H5P_DEFAULT), name_, link.name + ": unreadable");
    return H5Iget_type(object) == H5I_DATASET;
  }

  bool is_group(hid_t group, const hdf5::Link& link) {
    if (link.type != H5L_TYPE_HARD) return false;
    const Handle object = checked(H5Oopen(group, link.name.c_str(), H5P_DEFAULT), name_, link.name + ": unreadable");
    return H5Iget_type(object) == H5I_GROUP;
  }

  RawTensor tensor(hid_t group, const std::string& part, const std::string& path, Kind kind) {
    const Handle dataset = hdf5::open_dataset(group, part, name_);
    const hdf5::DatasetInfo info = hdf5::describe(dataset, path, name_);
    const bool floats = info.stored == "float32" || info.stored == "float64";
    const bool exact =
        floats || (info.stored[0] == 'i' && info.stored != "int128") || info.stored == "uint8" || info.stored == "bool";
    if (kind == Kind::kBuffers ? !exact || info.type == at::ScalarType::Undefined : !floats) {
      throw Error(name_, path + ": " + info.stored + ", expected float32 or float64" +
                             (kind == Kind::kBuffers ? ", a signed integer, uint8 or bool" : ""));
    }
    hdf5::check_size(info, size_, path, name_);
    RawTensor result{info.shape, info.type, nullptr};
    if (kind == Kind::kClosed) result.type = at::kFloat;
    if (kind == Kind::kSum) result.type = at::kDouble;
    model_.unknown->keep_attributes(dataset, path, {}, size_, name_);
    if (!for_good_ && !info.chunked && info.elements > 0) {
      hdf5::read_ends(dataset, result.type, path, name_);
      return result;
    }
    const size_t bytes = static_cast<size_t>(info.elements) * c10::elementSize(result.type);
    result.data = share(dataset, result.type, bytes);
    if (result.data) return result;
    auto own = std::make_shared<Block>();
    own->resize(std::max<size_t>(bytes, 1));  // a tensor without elements has a place, too
    if (bytes > 0) hdf5::read_into(dataset, result.type, own->data(), path, name_);
    result.data = {own, own->data()};
    return result;
  }

  // Null where the data can't stay where they are. Two tensors of the same bytes, as links and forged files have them,
  // would change together.
  std::shared_ptr<void> share(hid_t dataset, at::ScalarType type, size_t count) {
    const auto size = static_cast<int64_t>(count), at = hdf5::stored_as_is(dataset, type);
    if (count < hdf5::kAlignedFrom || at < 0 || at % hdf5::kAlignment != 0 || size > size_ - at) return nullptr;
    const auto next = shared_.upper_bound(at);
    const bool overlaps =
        (next != shared_.end() && next->first < at + size) || (next != shared_.begin() && std::prev(next)->second > at);
    if (overlaps) return nullptr;
    shared_[at] = at + size;
    return {bytes_->data() + at, [keep = bytes_, count](void* bytes) { forget(bytes, count); }};
  }

  RawTensors tensors(const std::string& path, Kind kind) {
    RawTensors result;
    const Handle group = hdf5::open_group(file_, path, name_);
    model_.unknown->keep_attributes(group, path, {}, size_, name_);
    for (const hdf5::Link& link : hdf5::links(group, name_)) {
      if (is_dataset(group, link)) {
        result.emplace(link.name, tensor(group, link.name, path + "/" + link.name, kind));
      } else {
        model_.unknown->keep_link(group, path, link, name_);
      }
    }
    return result;
  }

  void read_by_task(const std::string& path, std::map<std::string, RawTensors>& by_task) {
    const Handle group = hdf5::open_group(file_, path, name_);
    model_.unknown->keep_attributes(group, path, {}, size_, name_);
    for (const hdf5::Link& link : hdf5::links(group, name_)) {
      if (is_group(group, link)) {
        by_task[link.name] = tensors(path + "/" + link.name, Kind::kWeights);
      } else {
        model_.unknown->keep_link(group, path, link, name_);
      }
    }
  }

  void read_importance() {
    const std::string path = "/importance";
    const Handle group = hdf5::open_group(file_, path, name_);
    ImportanceRecord& record = model_.importance;
    record.closed_tasks = attribute_count(group, "closed_tasks", path);
    record.count = attribute_count(group, "count", path);
    record.tasks = attribute_count(group, "tasks", path);
    record.combine = attribute_text(group, "combine", path);
    record.estimator = attribute_text(group, "estimator", path);
    record.method = attribute_text(group, "method", path);
    record.outputs = attribute_text(group, "outputs", path);
    if (record.outputs.empty()) record.outputs = "head";
    model_.unknown->keep_attributes(
        group, path, {"closed_tasks", "combine", "count", "estimator", "method", "outputs", "tasks"}, size_, name_);
    for (const hdf5::Link& link : hdf5::links(group, name_)) {
      if (link.name == "closed") {
        model_.closed = tensors("/importance/closed", Kind::kClosed);
      } else if (link.name == "anchor") {
        model_.anchor = tensors("/importance/anchor", Kind::kClosed);
      } else if (link.name == "sum") {
        model_.sum = tensors("/importance/sum", Kind::kSum);
      } else {
        model_.unknown->keep_link(group, path, link, name_);
      }
    }
  }

  // Cycles were not followed by refuse_foreign, which bounds the depth only of what it enters; here a cycle would not
  // end.
  void read_nested(const std::string& path, const std::string& prefix, int depth = 0) {
    constexpr int kDeepest = 16;
    if (depth > kDeepest) throw Error(name_, path + ": groups nested deeper than " + std::to_string(kDeepest));
    const Handle group = hdf5::open_group(file_, path, name_);
    model_.unknown->keep_attributes(group, path, {}, size_, name_);
    for (const hdf5::Link& link : hdf5::links(group, name_)) {
      if (is_dataset(group, link)) {
        model_.optimizer.emplace(prefix + link.name, tensor(group, link.name, path + "/" + link.name, Kind::kBuffers));
      } else if (is_group(group, link)) {
        read_nested(path + "/" + link.name, prefix + link.name + "/", depth + 1);
      } else {
        model_.unknown->keep_link(group, path, link, name_);
      }
    }
  }

  std::string text(const std::string& path) {
    const Handle dataset = hdf5::open_dataset(file_, path, name_);
    model_.unknown->keep_attributes(dataset, path, {}, size_, name_);
    return hdf5::read_text(dataset, size_, path, name_);
  }

  void read_script() {
    const std::string path = "/script";
    const Handle dataset = hdf5::open_dataset(file_, path, name_);
    const hdf5::DatasetInfo info = hdf5::describe(dataset, path, name_);
    if (info.type != at::kByte || info.shape.size() != 1)
      throw Error(name_, path + ": " + info.stored + ", expected uint8 [bytes]");
    hdf5::check_size(info, size_, path, name_);
    model_.script.resize(static_cast<size_t>(info.bytes));
    if (info.bytes > 0) hdf5::read_into(dataset, at::kByte, model_.script.data(), path, name_);
    model_.unknown->keep_attributes(dataset, path, {}, size_, name_);
  }

  std::shared_ptr<Block> bytes_;
  std::map<int64_t, int64_t> shared_;  // begin and end of what tensors have of them
  std::string name_;
  int64_t size_;
  bool for_good_;
  Handle file_;
  RawModel model_;
};

nlohmann::json json(const std::string& text, const nlohmann::json& absent, const std::string& path,
                    const std::string& name) {
  constexpr int kDeepest = 256;
  return text.empty() ? absent : parse_json(text, kDeepest, name + ": " + path);
}

NamedTensors to_tensors(const RawTensors& raw) {
  NamedTensors tensors;
  for (const auto& [name, tensor] : raw) {
    tensors[name] = at::from_blob(
        tensor.data.get(), tensor.shape, [keep = tensor.data](void*) {}, at::TensorOptions(tensor.type));
  }
  return tensors;
}

ModelFile to_model(RawModel raw, const std::string& name) {
  ModelFile model;
  model.arch = json(raw.arch, nullptr, "attribute arch", name);
  model.tasks = json(raw.tasks, nlohmann::json::array(), "/tasks", name);
  model.results = json(raw.results, nlohmann::json::array(), "/results", name);
  model.progress = json(raw.progress, nullptr, "/progress", name);
  model.script = std::move(raw.script);
  model.weights = to_tensors(raw.weights);
  model.buffers = to_tensors(raw.buffers);
  model.optimizer = to_tensors(raw.optimizer);
  for (const auto& [task, head] : raw.heads) model.heads[task] = to_tensors(head);
  for (const auto& [task, encoder] : raw.encoders) model.encoders[task] = to_tensors(encoder);
  model.importance = std::move(raw.importance);
  model.importance.closed = to_tensors(raw.closed);
  model.importance.anchor = to_tensors(raw.anchor);
  model.importance.sum = to_tensors(raw.sum);
  model.format_minor = raw.format_minor;
  if (!raw.unknown->empty()) model.unknown = std::move(raw.unknown);
  return model;
}

// All that HDF5 has to do for this file, now and when its unknown content is written again.
void rehearse_model(const std::shared_ptr<Block>& bytes, const std::string& name) {
  const auto read = [&] {
    const RawModel model = Reader(bytes, name, false).read();
    constexpr size_t kIncrement = 1 << 16;
    if (!model.unknown->empty()) model.unknown->restore(hdf5::create_in_memory(kIncrement), name);
  };
  rehearse(name, read, RehearsalLimits::for_size(static_cast<int64_t>(bytes->size())));
}

}  // namespace

ModelFile parse_model(const std::string& bytes, const std::string& name) {
  return parse_model(std::make_shared<Block>(bytes), name);
}

ModelFile parse_model(const std::shared_ptr<Block>& bytes, const std::string& name) {
  hdf5::prepare();
  check_integrity(bytes->view(), name);
  rehearse_model(bytes, name);  // also where the digest is right: whoever forges a file can compute it
  ModelFile model = to_model(Reader(bytes, name, true).read(), name);
  check_model(model, name);
  return model;
}

ModelFile read_model(const std::string& path) { return parse_model(read_block(path, bytes_to_read), input_name(path)); }

}  // namespace mas
