#include "mas/io/hdf5_pieces.h"

#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

namespace {

using mas::hdf5::Handle;

void dataset(hid_t file, const char* path, const at::Tensor& values) {
  const hsize_t size = static_cast<hsize_t>(values.numel());
  const Handle space(H5Screate_simple(1, &size, nullptr));
  const Handle made(H5Dcreate2(file, path, H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Dwrite(made, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data_ptr());
}

std::string joined(const mas::hdf5::PieceFile& file) {
  std::string bytes;
  for (const std::string_view piece : file.pieces()) bytes += piece;
  return bytes;
}

bool has_piece(const mas::hdf5::PieceFile& file, const at::Tensor& tensor) {
  for (const std::string_view piece : file.pieces()) {
    if (piece.data() == tensor.data_ptr() && piece.size() == tensor.nbytes()) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a file in pieces is an HDF5 file, and what was lent is one of them") {
  const at::Tensor lent = torch::rand({100001}), copied = torch::rand({50001}), small = torch::rand({5});
  mas::hdf5::PieceFile file(H5P_DEFAULT);
  file.lend(lent.data_ptr(), lent.nbytes());
  dataset(file, "lent", lent);
  dataset(file, "copied", copied);
  dataset(file, "small", small);
  file.close();
  CHECK(has_piece(file, lent));
  CHECK_FALSE(has_piece(file, copied));

  const std::string bytes = joined(file);
  const Handle again = mas::hdf5::open_image(bytes, "x");
  const auto read = [&](const char* path) {
    return mas::hdf5::read_tensor(mas::hdf5::open_dataset(again, path, "x"), path, "x");
  };
  CHECK(torch::equal(read("lent"), lent));
  CHECK(torch::equal(read("copied"), copied));
  CHECK(torch::equal(read("small"), small));
  for (const char* path : {"lent", "copied"}) {
    const int64_t at = mas::hdf5::stored_as_is(mas::hdf5::open_dataset(again, path, "x"), at::kFloat);
    CHECK(at > 0);
    CHECK(at % 64 == 0);
  }
}

TEST_CASE("HDF5 can read again what was lent, while the file isn't ended yet") {
  const at::Tensor lent = torch::rand({100001});
  mas::hdf5::PieceFile file(H5P_DEFAULT);
  file.lend(lent.data_ptr(), lent.nbytes());
  dataset(file, "lent", lent);
  CHECK(torch::equal(mas::hdf5::read_tensor(mas::hdf5::open_dataset(file, "lent", "x"), "lent", "x"), lent));
}

TEST_CASE("what was lent can't be written over") {
  const at::Tensor lent = torch::rand({100001}), other = torch::rand({100001});
  mas::hdf5::PieceFile file(H5P_DEFAULT);
  file.lend(lent.data_ptr(), lent.nbytes());
  dataset(file, "lent", lent);
  const Handle again = mas::hdf5::open_dataset(file, "lent", "x");
  CHECK(H5Dwrite(again, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, other.data_ptr()) < 0);
}

TEST_CASE("the beginning of a file in pieces can be overwritten") {
  const Handle creation(H5Pcreate(H5P_FILE_CREATE));
  H5Pset_userblock(creation, 512);
  mas::hdf5::PieceFile file(creation);
  file.close();
  CHECK(joined(file).substr(0, 512) == std::string(512, '\0'));
  file.overwrite_start("mine");
  CHECK(joined(file).substr(0, 512) == "mine" + std::string(508, '\0'));
}
