// HDF5 with /images [rows, ...] and perhaps /labels [rows] and, of facts, /vectors [labels, values]. libhdf5 1.10
// crashes or hangs on about one damaged file in 200, so all that is done here is done in a confined child first.
#include "mas/io/hdf5.h"

#include <algorithm>

#include <fmt/format.h>

#include "mas/data/formats.h"
#include "mas/error.h"
#include "mas/io/digest.h"
#include "mas/io/rehearsal.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr int64_t kSliceBytes = 4 << 20;
constexpr const char* kImages = "images";
constexpr const char* kLabels = "labels";
constexpr const char* kVectors = "vectors";

struct Layout {
  hdf5::DatasetInfo info;
  int64_t offset = -1;     // of plain values of our own type in the file; -1: they have to be read by HDF5
  int64_t slice_rows = 1;  // rows to read at a time
  bool labels = false, vectors = false;
};

// Whole chunks, or each slice would unpack its chunk again.
int64_t rows_of_slice(hid_t dataset, const hdf5::DatasetInfo& info) {
  const int64_t row = std::max<int64_t>(1, info.bytes / std::max<int64_t>(1, info.shape[0]));
  int64_t rows = std::max<int64_t>(1, kSliceBytes / row);
  const hdf5::Handle creation(H5Dget_create_plist(dataset));
  std::vector<hsize_t> chunk(info.shape.size());
  if (H5Pget_layout(creation) == H5D_CHUNKED &&
      H5Pget_chunk(creation, static_cast<int>(chunk.size()), chunk.data()) > 0) {
    const auto chunk_rows = static_cast<int64_t>(chunk[0]);
    rows = (rows + chunk_rows - 1) / chunk_rows * chunk_rows;
  }
  return std::min(rows, info.shape[0]);
}

int64_t plain_offset(hid_t dataset, const hdf5::DatasetInfo& info, int64_t file_bytes) {
  const hdf5::Handle creation(H5Dget_create_plist(dataset)), type(H5Dget_type(dataset));
  if (H5Pget_layout(creation) != H5D_CONTIGUOUS || H5Tequal(type, hdf5::native_type(info.type)) <= 0) return -1;
  if (info.type != at::kByte && info.type != at::kFloat && info.type != at::kLong) return -1;
  const haddr_t offset = H5Dget_offset(dataset);
  if (offset == HADDR_UNDEF || static_cast<int64_t>(offset) > file_bytes - info.bytes) return -1;
  return static_cast<int64_t>(offset);
}

void check_vectors(hid_t file, int64_t file_bytes, const std::string& name) {
  const auto info = hdf5::describe(hdf5::open_dataset(file, kVectors, name), kVectors, name);
  if (info.type != at::kFloat && info.type != at::kDouble)
    throw Error(name, fmt::format("/vectors: {}, expected floats", info.stored));
  if (info.shape.size() != 2 || info.elements == 0)
    throw Error(name, fmt::format("/vectors: {}, expected a row of values for each label", shape_text(info.shape)));
  if (info.shape[1] % 3 != 0)
    throw Error(name, fmt::format("/vectors: {}, expected the values of three words behind each other, as many of each",
                                  shape_text(info.shape)));
  hdf5::check_size(info, file_bytes, kVectors, name);
}

bool is_there(hid_t file, const char* dataset, const std::string& name) {
  if (hdf5::exists(file, dataset)) return true;
  if (H5Lexists(file, dataset, H5P_DEFAULT) > 0)
    throw Error(name, fmt::format("/{}: a link that leads nowhere", dataset));
  return false;
}

Layout inspect(hid_t file, int64_t file_bytes, bool want_labels, const std::string& name) {
  hdf5::refuse_foreign(file, name);
  if (!hdf5::exists(file, kImages)) {
    if (is_model_file(name)) throw Error(name, "a model file, not data");
    std::vector<std::string> names;
    for (const auto& link : hdf5::links(file, name))
      if (names.size() < 6) names.push_back(link.name.substr(0, 40));
    throw Error(name, fmt::format("no data set /images, which the samples are read from (there {}: {})",
                                  names.size() == 1 ? "is" : "are",
                                  names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "))));
  }
  const auto images = hdf5::open_dataset(file, kImages, name);
  Layout layout;
  layout.info = hdf5::describe(images, kImages, name);
  const auto& info = layout.info;
  if (info.type == at::ScalarType::Undefined || info.type == at::kBool || info.type == at::kChar)
    throw Error(name, fmt::format("/images: {}, expected uint8, floats or integers of 16 bits and more", info.stored));
  if (info.shape.empty() || info.elements == 0)
    throw Error(name, fmt::format("/images: empty ({})", shape_text(info.shape)));
  hdf5::check_size(info, file_bytes, kImages, name);
  layout.slice_rows = rows_of_slice(images, info);
  layout.offset = plain_offset(images, info, file_bytes);
  layout.vectors = want_labels && is_there(file, kVectors, name);
  if (layout.vectors) check_vectors(file, file_bytes, name);
  layout.labels = want_labels && is_there(file, kLabels, name);
  if (!layout.labels) return layout;
  const auto labels = hdf5::open_dataset(file, kLabels, name);
  const auto label_info = hdf5::describe(labels, kLabels, name);
  const auto type = label_info.type;
  if (type == at::ScalarType::Undefined || !at::isIntegralType(type, /*includeBool=*/false))
    throw Error(name, fmt::format("/labels: {}, expected integers", label_info.stored));
  if (label_info.shape.empty() || label_info.elements != label_info.shape[0])
    throw Error(name, fmt::format("/labels: {}, expected one a row", shape_text(label_info.shape)));
  if (label_info.elements != info.shape[0])
    throw Error(name, fmt::format("{} labels, but {} images", label_info.elements, info.shape[0]));
  hdf5::check_size(label_info, file_bytes, kLabels, name);
  return layout;
}

template <typename T>
void spool_as(Spool& spool, const at::Tensor& rows, at::ScalarType type) {
  const at::Tensor values = rows.to(type).contiguous();
  spool.write(values.data_ptr<T>(), static_cast<int64_t>(values.nbytes()));
}

// Always this very file: its name may lead to another one by now, which no child has read.
hdf5::Handle open(const File& file) { return hdf5::open_file(file.own_path(), file.name()); }

std::vector<int32_t> read_labels(const File& file) {
  const std::string& name = file.name();
  const auto handle = open(file);
  const auto data = hdf5::open_dataset(handle, kLabels, name);
  const at::Tensor values = hdf5::read_tensor(data, kLabels, name).to(at::kLong).flatten();
  std::vector<int32_t> labels(static_cast<size_t>(values.size(0)));
  for (size_t i = 0; i < labels.size(); ++i) {
    const int64_t label = values.data_ptr<int64_t>()[i];
    if (label < 0 || label > INT32_MAX)
      throw Error(name,
                  fmt::format("/labels: row {} has {}, labels are numbers from 0 to {}", i + 1, label, INT32_MAX));
    labels[i] = static_cast<int32_t>(label);
  }
  return labels;
}

at::Tensor read_vectors(hid_t file, const std::string& name) {
  const auto vectors = hdf5::read_tensor(hdf5::open_dataset(file, kVectors, name), kVectors, name).to(at::kFloat);
  if (vectors.isinf().any().item<bool>()) throw Error(name, "/vectors: holds an infinite value");
  return vectors;
}

// What the child does: every HDF5 call that the parent makes afterwards.
void read_everything(const File& file, bool want_labels) {
  const std::string& name = file.name();
  const auto handle = open(file);
  const Layout layout = inspect(handle, file.size(), want_labels, name);
  if (layout.labels) hdf5::read_tensor(hdf5::open_dataset(handle, kLabels, name), kLabels, name);
  if (layout.vectors) read_vectors(handle, name);
  if (layout.offset >= 0) return;
  const auto images = hdf5::open_dataset(handle, kImages, name);
  const int64_t rows = layout.info.shape[0];
  for (int64_t first = 0; first < rows; first += layout.slice_rows)
    hdf5::read_rows(images, first, std::min(layout.slice_rows, rows - first), kImages, name);
}

}  // namespace

Match recognise_hdf5(const File& file) {
  // The signature may lie behind a user block of 512 bytes or a larger power of two.
  for (int64_t offset = 0; offset < file.size(); offset = offset ? 2 * offset : 512)
    if (file.text(offset, 8) == "\x89HDF\r\n\x1a\n") return offset ? Match::kPerhaps : Match::kSurely;
  return Match::kNo;
}

Source open_hdf5(const std::shared_ptr<File>& file, const SourceRequest& request) {
  const std::string& name = file->name();
  rehearse(
      name, [&] { read_everything(*file, request.want_labels); }, RehearsalLimits::for_size(file->size()));
  const auto handle = open(*file);
  const Layout layout = inspect(handle, file->size(), request.want_labels, name);
  const auto& info = layout.info;

  Source source;
  source.rows = info.shape[0];
  source.type = info.type == at::kByte ? at::kByte : at::isFloatingType(info.type) ? at::kFloat : at::kLong;
  source.shape.assign(info.shape.begin() + 1, info.shape.end());
  if (source.shape.empty()) source.shape = {1};
  if (source.shape.size() == 2 && source.type != at::kLong)
    source.shape.insert(source.shape.begin(), 1);  // one channel
  const int64_t bytes = source.row_bytes();
  if (layout.offset >= 0) {
    source.read = read_stretches({{file, layout.offset, bytes, source.rows}}, bytes);
  } else {
    Spool spool(request.scratch, name);
    if (source.rows > spool.room() / bytes)
      throw Error(name,
                  fmt::format("unpacks to {} rows of {} bytes, and {} has no room for them; name another folder with "
                              "TMPDIR",
                              source.rows, bytes, request.scratch));
    const auto images = hdf5::open_dataset(handle, kImages, name);
    for (int64_t first = 0; first < source.rows; first += layout.slice_rows) {
      const auto rows = hdf5::read_rows(images, first, std::min(layout.slice_rows, source.rows - first), kImages, name);
      if (source.type == at::kByte)
        spool_as<uint8_t>(spool, rows, at::kByte);
      else if (source.type == at::kFloat)
        spool_as<float>(spool, rows, at::kFloat);
      else
        spool_as<int64_t>(spool, rows, at::kLong);
    }
    source.read = read_stretches({{spool.finish(), 0, bytes, source.rows}}, bytes);
  }
  if (layout.vectors) source.class_vectors = read_vectors(handle, name);
  source.has_labels = layout.labels;
  source.labels = [file] { return read_labels(*file); };
  return source;
}

}  // namespace mas
