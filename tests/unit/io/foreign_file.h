#pragma once
#include <functional>
#include <string>
#include <vector>

#include "mas/io/hdf5.h"
#include "mas/io/hdf5_pieces.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

/// Model files as other programs make them, with HDF5 alone.
namespace mas::test {

inline void attribute(hid_t object, const char* name, const std::string& text) {
  const hdf5::Handle type(H5Tcopy(H5T_C_S1)), space(H5Screate(H5S_SCALAR));
  H5Tset_size(type, text.size());
  const hdf5::Handle made(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
  H5Awrite(made, type, text.data());
}

// Variable-length text, as h5py writes a Python string.
inline void variable_attribute(hid_t object, const char* name, const char* text) {
  const hdf5::Handle type(H5Tcopy(H5T_C_S1)), space(H5Screate(H5S_SCALAR));
  H5Tset_size(type, H5T_VARIABLE);
  const hdf5::Handle made(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
  H5Awrite(made, type, &text);
}

inline hdf5::Handle group(hid_t file, const char* path) {
  return hdf5::Handle(H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

inline void dataset(hid_t file, const char* path, hid_t stored, std::vector<hsize_t> dims,
                    const std::vector<float>& values, hid_t list = H5P_DEFAULT) {
  const hdf5::Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr));
  const hdf5::Handle made(H5Dcreate2(file, path, stored, space, H5P_DEFAULT, list, H5P_DEFAULT));
  REQUIRE(made > 0);
  if (!values.empty()) H5Dwrite(made, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
}

/// A file as another program would make it, without a digest; `more` adds to it.
inline std::string foreign_file(const std::function<void(hid_t)>& more = {}, const std::string& version = "1.0",
                                const std::string& format = "mas-model") {
  const Scratch scratch;
  const std::string path = scratch / "foreign.h5";
  hdf5::prepare();
  {
    const hdf5::Handle access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_alignment(access, hdf5::kAlignedFrom, hdf5::kAlignment);
    const hdf5::Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access));
    if (!format.empty()) attribute(file, "format", format);
    variable_attribute(file, "format_version", version.c_str());
    const auto weights = group(file, "/weights");
    dataset(file, "/weights/fc.weight", H5T_IEEE_F32BE, {2, 2}, {1, 2, 3, 4});
    if (more) more(file);
  }
  return get(path);
}

}  // namespace mas::test
