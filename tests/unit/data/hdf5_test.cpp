#include <hdf5.h>

#include "mas/data/formats.h"
#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

/// Writes a data set; `chunk` rows a chunk, packed, where above 0.
void add(hid_t file, const char* name, const at::Tensor& values, hid_t stored, hid_t native, hsize_t chunk = 0) {
  std::vector<hsize_t> shape(values.sizes().begin(), values.sizes().end());
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  if (chunk) {
    auto chunks = shape;
    chunks[0] = chunk;
    H5Pset_chunk(creation, static_cast<int>(chunks.size()), chunks.data());
    H5Pset_deflate(creation, 6);
  }
  const hid_t data = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  H5Dwrite(data, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.contiguous().data_ptr());
  H5Dclose(data);
  H5Pclose(creation);
  H5Sclose(space);
}

class Hdf5File {
 public:
  explicit Hdf5File(const std::string& path) : id_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~Hdf5File() { H5Fclose(id_); }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
};

}  // namespace

TEST_CASE("HDF5 images are the same contiguous, packed and in another byte order") {
  Folder folder;
  const auto bytes = at::randint(0, 256, {50, 6, 7}, at::kByte);
  const auto floats = at::randn({50, 2, 6, 7});
  const auto labels_stored = at::randint(0, 5, {50}, at::kLong);
  {
    Hdf5File plain(folder / "plain.h5"), packed(folder / "packed.h5"), floating(folder / "floating.h5"),
        swapped(folder / "swapped.h5");
    add(plain, "images", bytes, H5T_STD_U8LE, H5T_NATIVE_UINT8);
    add(plain, "labels", labels_stored, H5T_STD_U8LE, H5T_NATIVE_INT64);
    add(packed, "images", bytes, H5T_STD_U8LE, H5T_NATIVE_UINT8, 7);
    add(packed, "labels", labels_stored, H5T_STD_I64BE, H5T_NATIVE_INT64, 9);
    add(floating, "images", floats, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT);
    add(swapped, "images", floats, H5T_IEEE_F64BE, H5T_NATIVE_FLOAT);
  }
  for (const char* name : {"plain.h5", "packed.h5"}) {
    CHECK(at::equal(images(folder / name), bytes.unsqueeze(1).to(at::kFloat) / 255));
    CHECK(at::equal(labels(folder / name), labels_stored));
  }
  for (const char* name : {"floating.h5", "swapped.h5"}) CHECK(at::equal(images(folder / name), floats));
}

TEST_CASE("labels that nobody wants aren't read") {
  Folder folder;
  {
    Hdf5File file(folder / "a.h5");
    add(file, "images", at::zeros({5, 2, 2}, at::kByte), H5T_STD_U8LE, H5T_NATIVE_UINT8);
    add(file, "labels", at::full({3}, -7, at::kLong), H5T_STD_I64LE, H5T_NATIVE_INT64);
  }
  CHECK(contains(failure(folder / "a.h5"), "3 labels, but 5 images"));
  const auto data = open(folder / "a.h5", false);
  CHECK(data->size() == 5);
  CHECK_FALSE(data->has_labels());
}

TEST_CASE("wider integers are token ids") {
  Folder folder;
  const auto tokens = at::randint(0, 1 << 20, {20, 9}, at::kLong);
  {
    Hdf5File wide(folder / "wide.h5"), narrow(folder / "narrow.h5");
    add(wide, "images", tokens, H5T_STD_I64LE, H5T_NATIVE_INT64);
    add(narrow, "images", tokens, H5T_STD_I32LE, H5T_NATIVE_INT64);
  }
  for (const char* name : {"wide.h5", "narrow.h5"}) {
    CHECK(at::equal(images(folder / name), tokens));
    CHECK(contains(failure((folder / name) + ",permute=1"), "permute: not for token ids"));
  }
}

TEST_CASE("HDF5 that is no data is refused") {
  Folder folder;
  const auto bytes = at::zeros({3, 4}, at::kByte);
  {
    Hdf5File none(folder / "none.h5"), count(folder / "count.h5"), words(folder / "words.h5"),
        negative(folder / "negative.h5");
    add(count, "images", bytes, H5T_STD_U8LE, H5T_NATIVE_UINT8);
    add(count, "labels", at::zeros({2}, at::kLong), H5T_STD_I64LE, H5T_NATIVE_INT64);
    add(words, "images", at::zeros({3, 4}, at::kChar), H5T_STD_I8LE, H5T_NATIVE_INT8);
    add(negative, "images", bytes, H5T_STD_U8LE, H5T_NATIVE_UINT8);
    add(negative, "labels", at::full({3}, -1, at::kLong), H5T_STD_I64LE, H5T_NATIVE_INT64);
  }
  CHECK(contains(failure(folder / "none.h5"), "none.h5: no data set /images"));
  CHECK(contains(failure(folder / "count.h5"), "2 labels, but 3 images"));
  CHECK(contains(failure(folder / "words.h5"), "/images: int8"));
  CHECK(contains(failure(folder / "negative.h5"), "/labels: row 1 has -1"));
}

TEST_CASE("a cut HDF5 file and links to other files are refused") {
  Folder folder;
  {
    Hdf5File whole(folder / "whole.h5"), link(folder / "link.h5");
    add(whole, "images", at::zeros({100, 100}, at::kByte), H5T_STD_U8LE, H5T_NATIVE_UINT8);
    H5Lcreate_external((folder / "whole.h5").c_str(), "images", link, "images", H5P_DEFAULT, H5P_DEFAULT);
  }
  CHECK(failure(folder / "whole.h5") == "");
  CHECK(contains(failure(folder / "link.h5"), "link.h5: "));
  std::filesystem::resize_file(folder / "whole.h5", 4000);
  CHECK(contains(failure(folder / "whole.h5"), "whole.h5: "));
}

TEST_CASE("a file that is replaced is read on, not the one that has its name now") {
  Folder folder;
  const auto bytes = at::randint(0, 256, {50, 6, 7}, at::kByte);
  {
    Hdf5File file(folder / "a.h5");
    add(file, "images", bytes, H5T_STD_U8LE, H5T_NATIVE_UINT8, 7);
    add(file, "labels", at::ones({50}, at::kLong), H5T_STD_I64LE, H5T_NATIVE_INT64);
  }
  const auto file = std::make_shared<mas::File>(folder / "a.h5");
  std::filesystem::remove(folder / "a.h5");
  folder.write("a.h5", "something else");
  const auto source = mas::open_hdf5(file, {});
  CHECK(source.rows == 50);
  CHECK(source.labels() == std::vector<int32_t>(50, 1));
}
