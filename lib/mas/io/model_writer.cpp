#include <algorithm>
#include <optional>
#include <string_view>

#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/io/digest.h"
#include "mas/io/hdf5.h"
#include "mas/io/hdf5_pieces.h"
#include "mas/io/model_check.h"
#include "mas/io/model_file.h"
#include "mas/io/unknown_content.h"
#include "mas/text.h"

namespace mas {
namespace {

using hdf5::check;
using hdf5::checked;
using hdf5::Handle;

// What a message calls the model while it has no file yet.
const std::string kName = "model";

Handle creation_list(hid_t kind) {
  Handle list(H5Pcreate(kind));
  H5Pset_obj_track_times(list, false);  // or two runs a second apart differ
  return list;
}

Handle utf8_links() {
  Handle list(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_char_encoding(list, H5T_CSET_UTF8);
  return list;
}

// Little-endian whatever the machine, so that equal content gives equal bytes. Bool is what h5py makes of it.
Handle file_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return Handle(H5Tcopy(H5T_IEEE_F32LE));
    case at::kDouble:
      return Handle(H5Tcopy(H5T_IEEE_F64LE));
    case at::kLong:
      return Handle(H5Tcopy(H5T_STD_I64LE));
    case at::kInt:
      return Handle(H5Tcopy(H5T_STD_I32LE));
    case at::kShort:
      return Handle(H5Tcopy(H5T_STD_I16LE));
    case at::kChar:
      return Handle(H5Tcopy(H5T_STD_I8LE));
    case at::kByte:
      return Handle(H5Tcopy(H5T_STD_U8LE));
    case at::kBool: {
      Handle boolean(H5Tenum_create(H5T_STD_I8LE));
      for (int8_t value : {0, 1}) H5Tenum_insert(boolean, value == 0 ? "FALSE" : "TRUE", &value);
      return boolean;
    }
    default:
      return Handle();
  }
}

Handle text_type(const std::string& text) {
  Handle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type, std::max<size_t>(text.size(), 1));
  H5Tset_cset(type, H5T_CSET_UTF8);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

void check_link_name(const std::string& part, const std::string& path) {
  if (!may_be_name(part))
    throw Error(kName, path + ": a name must not be empty or \".\" nor contain '/' or NUL, got \"" + part + "\"");
}

Handle create_group(hid_t parent, const std::string& part, const std::string& path) {
  check_link_name(part, path);
  return checked(H5Gcreate2(parent, part.c_str(), utf8_links(), creation_list(H5P_GROUP_CREATE), H5P_DEFAULT), kName,
                 path + "/" + part + ": not written");
}

void write_data(hid_t group, const std::string& part, hid_t stored, hid_t space, hid_t memory, const void* data,
                const std::string& path) {
  check_link_name(part, path);
  const std::string what = path + "/" + part + ": not written";
  const Handle dataset = checked(
      H5Dcreate2(group, part.c_str(), stored, space, utf8_links(), creation_list(H5P_DATASET_CREATE), H5P_DEFAULT),
      kName, what);
  if (H5Sget_simple_extent_npoints(space) > 0)
    check(H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), kName, what);
}

void write_text(hid_t group, const std::string& part, const std::string& text) {
  const Handle type = text_type(text), space(H5Screate(H5S_SCALAR));
  write_data(group, part, type, space, type, text.c_str(), "");
}

void write_attribute(hid_t object, const std::string& part, hid_t stored, hid_t memory, const void* value) {
  const Handle space(H5Screate(H5S_SCALAR));
  const Handle attribute = checked(H5Acreate2(object, part.c_str(), stored, space, H5P_DEFAULT, H5P_DEFAULT), kName,
                                   part + ": attribute not written");
  check(H5Awrite(attribute, memory, value), kName, part + ": attribute not written");
}

void write_attribute(hid_t object, const std::string& part, const std::string& text) {
  const Handle type = text_type(text);
  write_attribute(object, part, type, type, text.c_str());
}

void write_attribute(hid_t object, const std::string& part, int64_t value) {
  write_attribute(object, part, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

std::string json_text(const nlohmann::json& json, const std::string& path) {
  try {
    return json.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error(kName, path + ": text that is not UTF-8");
  }
}

NamedTensors converted(const NamedTensors& tensors, at::ScalarType type) {
  NamedTensors result;
  for (const auto& [name, tensor] : tensors) result[name] = tensor.detach().to(type);
  return result;
}

Handle creation() {
  hdf5::prepare();
  Handle list = creation_list(H5P_FILE_CREATE);
  check(H5Pset_userblock(list, kUserBlock), kName, "no user block");
  return list;
}

/// A model file before it is one: its tensors stay where they are, so that `model` must outlive it unchanged.
class Writer {
 public:
  explicit Writer(const ModelFile& model) : file_(creation()) {
    write_content(model);
    file_.close();
    seal();
  }

  std::vector<std::string_view> pieces() const { return file_.pieces(); }

 private:
  void write_tensor(hid_t group, const std::string& part, const at::Tensor& original, const std::string& path) {
    const at::Tensor tensor = original.detach().cpu().contiguous();
    const Handle type = file_type(tensor.scalar_type());
    if (type < 0) throw Error(kName, path + "/" + part + ": no place for " + type_text(tensor.scalar_type()));
    const std::vector<hsize_t> dims(tensor.sizes().begin(), tensor.sizes().end());
    const Handle space(dims.empty() ? H5Screate(H5S_SCALAR)
                                    : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr));
    const hid_t memory =
        tensor.scalar_type() == at::kBool ? static_cast<hid_t>(type) : hdf5::native_type(tensor.scalar_type());
    lent_.push_back(tensor);
    file_.lend(tensor.data_ptr(), tensor.nbytes());
    write_data(group, part, type, space, memory, tensor.data_ptr(), path);
  }

  void write_tensors(hid_t parent, const std::string& part, const NamedTensors& tensors, const std::string& path) {
    const Handle group = create_group(parent, part, path);
    for (const auto& [name, tensor] : tensors) write_tensor(group, name, tensor, path + "/" + part);
  }

  void write_by_task(const std::string& part, const std::map<std::string, NamedTensors>& by_task) {
    if (by_task.empty()) return;
    const Handle group = create_group(file_, part, "");
    for (const auto& [task, tensors] : by_task) write_tensors(group, task, tensors, "/" + part);
  }

  // Only here a name has parts: "anchor/fc1.weight" is fc1.weight in the group anchor.
  void write_nested(hid_t group, const std::string& name, const at::Tensor& tensor, const std::string& path) {
    const size_t slash = name.find('/');
    if (slash == std::string::npos) return write_tensor(group, name, tensor, path);
    const std::string part = name.substr(0, slash);
    check_link_name(part, path);
    const Handle inner =
        hdf5::exists(group, part) ? hdf5::open_group(group, part, kName) : create_group(group, part, path);
    write_nested(inner, name.substr(slash + 1), tensor, path + "/" + part);
  }

  void write_importance(const ImportanceRecord& importance) {
    const Handle group = create_group(file_, "importance", "");
    write_attribute(group, "closed_tasks", importance.closed_tasks);
    write_attribute(group, "combine", importance.combine);
    write_attribute(group, "count", importance.count);
    write_attribute(group, "estimator", importance.estimator);
    write_attribute(group, "method", importance.method);
    write_attribute(group, "outputs", importance.outputs);
    write_attribute(group, "tasks", importance.tasks);
    if (!importance.anchor.empty())
      write_tensors(group, "anchor", converted(importance.anchor, at::kFloat), "/importance");
    if (!importance.closed.empty())
      write_tensors(group, "closed", converted(importance.closed, at::kFloat), "/importance");
    if (!importance.sum.empty()) write_tensors(group, "sum", converted(importance.sum, at::kDouble), "/importance");
  }

  void write_content(const ModelFile& model) {
    const int minor = std::max(model.format_minor, kModelFormatMinor);
    if (!model.arch.is_null()) write_attribute(file_, "arch", json_text(model.arch, "arch"));
    write_attribute(file_, "format", std::string("mas-model"));
    write_attribute(file_, "format_version", std::to_string(kModelFormatMajor) + "." + std::to_string(minor));
    write_tensors(file_, "weights", model.weights, "");
    if (!model.buffers.empty()) write_tensors(file_, "buffers", model.buffers, "");
    write_by_task("heads", model.heads);
    write_by_task("encoders", model.encoders);
    if (!model.importance.empty()) write_importance(model.importance);
    if (!model.script.empty()) {
      const hsize_t size = model.script.size();
      const Handle space(H5Screate_simple(1, &size, nullptr));
      file_.lend(model.script.data(), model.script.size());
      write_data(file_, "script", H5T_STD_U8LE, space, H5T_NATIVE_UINT8, model.script.data(), "");
    }
    if (!model.tasks.empty()) write_text(file_, "tasks", json_text(model.tasks, "/tasks"));
    if (!model.results.empty()) write_text(file_, "results", json_text(model.results, "/results"));
    if (!model.optimizer.empty()) {
      const Handle group = create_group(file_, "optimizer", "");
      for (const auto& [name, tensor] : model.optimizer) write_nested(group, name, tensor, "/optimizer");
    }
    if (!model.progress.is_null()) write_text(file_, "progress", json_text(model.progress, "/progress"));
    if (model.unknown) model.unknown->restore(file_, kName);
  }

  void seal() {
    Fingerprint digest;
    size_t size = 0;
    for (const std::string_view piece : pieces()) {
      const size_t before = size == 0 ? kUserBlock : 0;
      digest.add(piece.data() + before, piece.size() - before);
      size += piece.size();
    }
    if (recorded_end(pieces().front(), kUserBlock) != size) throw Error(kName, "not written");
    file_.overwrite_start(user_block(digest));
  }

  hdf5::PieceFile file_;
  std::vector<at::Tensor> lent_;
};

}  // namespace

std::string serialize_model(const ModelFile& model) {
  check_model(model, kName);
  const Writer writer(model);
  std::string bytes;
  for (const std::string_view piece : writer.pieces()) bytes += piece;
  return bytes;
}

void write_model(const ModelFile& model, const std::string& path) {
  std::optional<Writer> writer;
  try {
    check_model(model, kName);
    writer.emplace(model);
  } catch (const Error& error) {
    const std::string what = error.what();
    const std::string start = kName + ": ";
    throw Error(output_name(path), what.compare(0, start.size(), start) == 0 ? what.substr(start.size()) : what);
  }
  write_output(path, writer->pieces());
}

}  // namespace mas
