#include "mas/data/export_data.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

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

hdf5::Handle create(hid_t file, const char* name, hid_t type, const std::vector<hsize_t>& shape,
                    const std::string& path) {
  const auto space = hdf5::checked(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), path, name);
  const hdf5::Handle creation(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_obj_track_times(creation, false);
  H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
  return hdf5::checked(H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT), path, name);
}

void write_rows(hid_t dataset, int64_t first, const at::Tensor& rows, const std::string& path) {
  std::vector<hsize_t> start(static_cast<size_t>(rows.dim()), 0), count(rows.sizes().begin(), rows.sizes().end());
  start[0] = static_cast<hsize_t>(first);
  const hdf5::Handle space(H5Dget_space(dataset));
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  const hdf5::Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
  hdf5::check(H5Dwrite(dataset, hdf5::native_type(rows.scalar_type()), memory, space, H5P_DEFAULT, rows.data_ptr()),
              path, "can't be written");
}

void append(std::string& text, float value) { fmt::format_to(std::back_inserter(text), "{:.9g}", value); }

}  // namespace

void export_hdf5(Dataset& data, const std::string& path, const ExportProgress& progress) {
  hdf5::prepare();
  Replacement replacement(path);
  {
    const hdf5::Handle creation(H5Pcreate(H5P_FILE_CREATE));
    H5Pset_obj_track_times(creation, false);
    const hdf5::Handle access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
    auto file = hdf5::checked(H5Fcreate(replacement.temporary().c_str(), H5F_ACC_TRUNC, creation, access), path,
                              "can't be created");
    std::vector<hsize_t> shape{static_cast<hsize_t>(data.size())};
    for (int64_t size : data.sample_shape()) shape.push_back(static_cast<hsize_t>(size));
    const auto type = data.stored_type();
    const hid_t stored = type == at::kByte ? H5T_STD_U8LE : type == at::kLong ? H5T_STD_I64LE : H5T_IEEE_F32LE;
    const auto images = create(file, "images", stored, shape, path);
    const auto labels = data.has_labels() ? create(file, "labels", H5T_STD_I32LE, {shape[0]}, path) : hdf5::Handle();
    for_each_batch(data, progress, [&](int64_t first, const Batch& batch) {
      write_rows(images, first, type == at::kByte ? (batch.images * 255).round().to(at::kByte) : batch.images, path);
      if (data.has_labels()) write_rows(labels, first, batch.labels.to(at::kInt), path);
    });
    hdf5::check(H5Fflush(file, H5F_SCOPE_GLOBAL), path, "can't be written");
  }
  replacement.commit();
}

void export_csv(Dataset& data, const std::string& path, const ExportProgress& progress) {
  Replacement replacement(path);
  std::FILE* file = std::fopen(replacement.temporary().c_str(), "wb");
  if (!file) throw Error(path, system_error_text(errno));
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> closer(file, std::fclose);
  const int64_t values = values_of(data);
  std::string text;
  for_each_batch(data, progress, [&](int64_t, const Batch& batch) {
    const bool tokens = batch.images.scalar_type() == at::kLong;
    for (int64_t i = 0; i < batch.images.size(0); ++i) {
      text.clear();
      for (int64_t k = 0; k < values; ++k) {
        if (k) text += ',';
        if (tokens)
          text += std::to_string(batch.images.data_ptr<int64_t>()[i * values + k]);
        else
          append(text, batch.images.data_ptr<float>()[i * values + k]);
      }
      if (data.has_labels()) text += (values ? "," : "") + std::to_string(batch.labels.data_ptr<int64_t>()[i]);
      text += '\n';
      if (std::fwrite(text.data(), 1, text.size(), file) != text.size()) throw Error(path, system_error_text(errno));
    }
  });
  if (std::fflush(file) != 0) throw Error(path, system_error_text(errno));
  replacement.commit();
}

}  // namespace mas
