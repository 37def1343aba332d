#include "mas/io/hdf5_layout.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "mas/error.h"
#include "mas/io/hdf5.h"
#include "mas/text.h"

namespace mas {
namespace {

// libhdf5 crashes when it can't write, so that it never meets the disk: it lays the file out in memory, where the data
// sets are holes, and what it made is copied from there. Sets the parts' offsets.
class Layout {
 public:
  Layout(std::vector<Hdf5Part>& parts, const std::string& path, int64_t user_block) : path_(path) {
    if (descriptor_ < 0) throw Error(path, "no memory to lay it out: " + system_error_text(errno));
    hdf5::prepare();
    const hdf5::Handle creation(H5Pcreate(H5P_FILE_CREATE));
    H5Pset_obj_track_times(creation, false);
    H5Pset_userblock(creation, static_cast<hsize_t>(user_block));
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

}  // namespace

void lay_out_hdf5(std::vector<Hdf5Part>& parts, Replacement& file, const std::string& path, int64_t user_block) {
  constexpr int64_t kMargin = 1 << 16;  // HDF5's own part is smaller
  int64_t bytes = kMargin + user_block;
  for (const auto& part : parts) bytes += part.bytes();
  file.reserve(bytes);  // also the proof that the layout in memory stays below the process's limit for files
  Layout(parts, path, user_block).copy_to(file);
}

}  // namespace mas
