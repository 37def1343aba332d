#include "mas/data/export_data.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "mas/data/loader.h"
#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/io/hdf5.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr int64_t kBatchValues = int64_t{1} << 20;

int64_t values_of(const Dataset& data) {
  int64_t values = 1;
  for (int64_t size : data.sample_shape()) values *= size;
  return values;
}

template <typename Write>
void for_each_batch(Dataset& data, const ExportProgress& progress, const Write& write) {
  LoaderOptions options;
  options.batch_size = std::clamp<int64_t>(kBatchValues / std::max<int64_t>(1, values_of(data)), 1, 4096);
  options.labels = data.has_labels();
  options.prefetch = false;  // HDF5 may not be entered from two threads
  Loader loader(data, options);
  int64_t done = 0;
  for (Batch batch; loader.next(batch);) {
    write(done, batch);
    done += batch.images.size(0);
    if (progress) progress(done, data.size());
  }
}

struct Hdf5Part {
  const char* name;
  hid_t stored;
  at::ScalarType type;  // of the values that are written
  std::vector<hsize_t> shape;
  int64_t row_bytes = 0;
  int64_t offset = 0;  // in the file
  int64_t bytes() const { return row_bytes * static_cast<int64_t>(shape[0]); }
};

// libhdf5 crashes when it can't write, so that it never meets the disk: it lays the file out in memory, where the data
// sets are holes, and what it made is copied from there. Sets the parts' offsets.
class Layout {
 public:
  Layout(std::vector<Hdf5Part>& parts, const std::string& path) : path_(path) {
    if (descriptor_ < 0) throw Error(path, "no memory to lay it out: " + system_error_text(errno));
    hdf5::prepare();
    const hdf5::Handle creation(H5Pcreate(H5P_FILE_CREATE));
    H5Pset_obj_track_times(creation, false);
    const hdf5::Handle access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
    hdf5::open_without_name(access);
    const std::string name = "/proc/self/fd/" + std::to_string(descriptor_);
    const auto file = hdf5::checked(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, creation, access), path, "can't be created");
    for (auto& part : parts) add(file, part);
    hdf5::check(H5Fflush(file, H5F_SCOPE_GLOBAL), path, "can't be written");
  }
  ~Layout() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;

  // All that isn't a hole.
  void copy_to(Replacement& file) const {
    std::vector<char> block(1 << 16);
    for (off_t at = 0; (at = lseek(descriptor_, at, SEEK_DATA)) >= 0;) {
      const ssize_t count = pread(descriptor_, block.data(), block.size(), at);
      if (count <= 0) throw Error(path_, "can't be laid out");
      file.write(at, block.data(), static_cast<size_t>(count));
      at += count;
    }
    if (errno != ENXIO) throw Error(path_, "can't be laid out: " + system_error_text(errno));
  }

 private:
  void add(hid_t file, Hdf5Part& part) const {
    const hdf5::Handle space = hdf5::checked(
        H5Screate_simple(static_cast<int>(part.shape.size()), part.shape.data(), nullptr), path_, part.name);
    const hdf5::Handle creation(H5Pcreate(H5P_DATASET_CREATE));
    H5Pset_obj_track_times(creation, false);
    H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
    const hdf5::Handle dataset = hdf5::checked(
        H5Dcreate2(file, part.name, part.stored, space, H5P_DEFAULT, creation, H5P_DEFAULT), path_, part.name);
    part.offset = static_cast<int64_t>(H5Dget_offset(dataset));
  }

  const std::string& path_;
  const int descriptor_ = memfd_create("mas", MFD_CLOEXEC);
};

void append(std::string& text, float value) { fmt::format_to(std::back_inserter(text), "{:.9g}", value); }

}  // namespace

void export_hdf5(Dataset& data, const std::string& path, const ExportProgress& progress) {
  Replacement file(path);
  const auto type = data.stored_type();
  const auto rows = static_cast<hsize_t>(data.size());
  Hdf5Part images{"images",
                  type == at::kByte   ? H5T_STD_U8LE
                  : type == at::kLong ? H5T_STD_I64LE
                                      : H5T_IEEE_F32LE,
                  type,
                  {rows}};
  for (int64_t size : data.sample_shape()) images.shape.push_back(static_cast<hsize_t>(size));
  images.row_bytes = values_of(data) * static_cast<int64_t>(c10::elementSize(type));
  std::vector<Hdf5Part> parts{images};
  if (data.has_labels()) parts.push_back({"labels", H5T_STD_I32LE, at::kInt, {rows}, sizeof(int32_t)});
  constexpr int64_t kMargin = 1 << 16;  // HDF5's own part is smaller
  int64_t bytes = kMargin;
  for (const auto& part : parts) bytes += part.bytes();
  file.reserve(bytes);  // also the proof that the layout in memory stays below the process's limit for files
  Layout(parts, path).copy_to(file);
  const auto write = [&](const Hdf5Part& part, int64_t first, const at::Tensor& rows) {
    const auto values = rows.to(part.type).contiguous();
    file.write(part.offset + first * part.row_bytes, values.data_ptr(), values.nbytes());
  };
  for_each_batch(data, progress, [&](int64_t first, const Batch& batch) {
    write(parts[0], first, type == at::kByte ? (batch.images * 255).round() : batch.images);
    if (data.has_labels()) write(parts[1], first, batch.labels);
  });
  file.commit();
}

void export_csv(Dataset& data, const std::string& path, const ExportProgress& progress) {
  Replacement file(path);
  const int64_t values = values_of(data);
  int64_t end = 0;
  std::string text;
  for_each_batch(data, progress, [&](int64_t, const Batch& batch) {
    const bool tokens = batch.images.scalar_type() == at::kLong;
    text.clear();
    for (int64_t i = 0; i < batch.images.size(0); ++i) {
      for (int64_t k = 0; k < values; ++k) {
        if (k) text += ',';
        if (tokens)
          text += std::to_string(batch.images.data_ptr<int64_t>()[i * values + k]);
        else
          append(text, batch.images.data_ptr<float>()[i * values + k]);
      }
      if (data.has_labels()) text += (values ? "," : "") + std::to_string(batch.labels.data_ptr<int64_t>()[i]);
      text += '\n';
    }
    file.write(end, text.data(), text.size());
    end += static_cast<int64_t>(text.size());
  });
  file.commit();
}

}  // namespace mas
