#include "mas/data/export_data.h"

#include <algorithm>

#include <fmt/format.h>

#include "mas/data/loader.h"
#include "mas/io/atomic_file.h"
#include "mas/io/hdf5_layout.h"

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
  const at::Tensor vectors = data.has_labels() ? data.class_vectors() : at::Tensor();
  const bool has_vectors = vectors.defined() && vectors.numel() > 0;
  if (has_vectors)
    parts.push_back({"vectors",
                     H5T_IEEE_F32LE,
                     at::kFloat,
                     {static_cast<hsize_t>(vectors.size(0)), static_cast<hsize_t>(vectors.size(1))},
                     vectors.size(1) * static_cast<int64_t>(sizeof(float))});
  lay_out_hdf5(parts, file, path);
  const auto write = [&](const Hdf5Part& part, int64_t first, const at::Tensor& rows) {
    const auto values = rows.to(part.type).contiguous();
    file.write(part.offset + first * part.row_bytes, values.data_ptr(), values.nbytes());
  };
  for_each_batch(data, progress, [&](int64_t first, const Batch& batch) {
    write(parts[0], first, type == at::kByte ? (batch.images * 255).round() : batch.images);
    if (data.has_labels()) write(parts[1], first, batch.labels);
  });
  if (has_vectors) write(parts[2], 0, vectors);
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
