#include "mas/io/hdf5.h"

#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

namespace {

using mas::hdf5::Handle;
using mas::test::contains;
using mas::test::error_of;

template <typename Value>
void dataset(hid_t file, const char* path, hid_t stored, hid_t memory, std::vector<hsize_t> dims,
             const std::vector<Value>& values) {
  const Handle space(dims.empty() ? H5Screate(H5S_SCALAR)
                                  : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr));
  const Handle made(H5Dcreate2(file, path, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Dwrite(made, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
}

at::Tensor read(hid_t file, const char* path) {
  return mas::hdf5::read_tensor(mas::hdf5::open_dataset(file, path, "x"), path, "x");
}

}  // namespace

TEST_CASE("numbers of every kind are read as the tensor type that holds them") {
  const Handle file = mas::hdf5::create_in_memory(1 << 16);
  dataset<int>(file, "u8", H5T_STD_U8LE, H5T_NATIVE_INT, {2}, {1, 255});
  dataset<int>(file, "u16", H5T_STD_U16BE, H5T_NATIVE_INT, {2}, {1, 65535});
  dataset<long>(file, "u32", H5T_STD_U32BE, H5T_NATIVE_LONG, {1}, {4294967295});
  dataset<int>(file, "i16", H5T_STD_I16BE, H5T_NATIVE_INT, {1, 2}, {-5, 5});
  dataset<double>(file, "f64", H5T_IEEE_F64BE, H5T_NATIVE_DOUBLE, {}, {0.1});
  CHECK(torch::equal(read(file, "u8"), torch::tensor({1, 255}, torch::kByte)));
  CHECK(torch::equal(read(file, "u16"), torch::tensor({1, 65535}, torch::kInt)));
  CHECK(torch::equal(read(file, "u32"), torch::tensor({4294967295}, torch::kLong)));
  CHECK(torch::equal(read(file, "i16"), torch::tensor({{-5, 5}}, torch::kShort)));
  CHECK(torch::equal(read(file, "f64"), torch::tensor(0.1, torch::kDouble)));
}

TEST_CASE("rows are read without the rest") {
  const Handle file = mas::hdf5::create_in_memory(1 << 16);
  dataset<float>(file, "x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, {3, 2}, {0, 1, 2, 3, 4, 5});
  const Handle x = mas::hdf5::open_dataset(file, "x", "f.h5");
  CHECK(torch::equal(mas::hdf5::read_rows(x, 1, 2, "/x", "f.h5"), torch::tensor({{2.f, 3.f}, {4.f, 5.f}})));
  CHECK((mas::hdf5::read_rows(x, 3, 0, "/x", "f.h5").sizes() == at::IntArrayRef{0, 2}));
  CHECK(contains(error_of([&] { mas::hdf5::read_rows(x, 2, 2, "/x", "f.h5"); }), "f.h5: /x: no rows 2 to 3"));
}

TEST_CASE("what isn't numbers is refused with its type") {
  const Handle file = mas::hdf5::create_in_memory(1 << 16);
  const Handle text(H5Tcopy(H5T_C_S1));
  dataset<char>(file, "s", text, text, {1}, {'a'});
  CHECK(error_of([&] { read(file, "s"); }) == "x: s: string, expected numbers");
}

TEST_CASE("what isn't there is named, with HDF5's reason") {
  const Handle file = mas::hdf5::create_in_memory(1 << 16);
  CHECK(contains(error_of([&] { read(file, "no"); }), "x: no: not a readable data set (HDF5: "));
  CHECK_FALSE(mas::hdf5::exists(file, "no/such"));
  const mas::test::Scratch scratch;
  mas::test::put(scratch / "f", "text");
  CHECK(contains(error_of([&] { mas::hdf5::open_file(scratch / "f", "f"); }), "f: not a readable HDF5 file (HDF5: "));
}

TEST_CASE("handles close what they own") {
  mas::hdf5::prepare();
  const ssize_t before = H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL);
  {
    const Handle file = mas::hdf5::create_in_memory(1 << 16);
    Handle group(H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    Handle moved = std::move(group);
    group = std::move(moved);
    CHECK(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) == before + 2);
  }
  CHECK(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) == before);
}

TEST_CASE("files in memory don't share anything") {
  const Handle one = mas::hdf5::create_in_memory(1 << 16), two = mas::hdf5::create_in_memory(1 << 16);
  const Handle group(H5Gcreate2(one, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  CHECK(mas::hdf5::exists(one, "g"));
  CHECK_FALSE(mas::hdf5::exists(two, "g"));
}
