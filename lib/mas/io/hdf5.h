#pragma once
#include <hdf5.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

/// Small handles over the HDF5 C library. Every function that opens something first calls prepare(). Errors are
/// mas::Error whose subject is `name`, the file as the user knows it, followed by the object's path and HDF5's
/// innermost complaint.
namespace mas::hdf5 {

/// Silences HDF5's own error printing in the calling thread and forbids plug-ins from being loaded. Cheap to repeat.
void prepare();

/// Owns an HDF5 identifier of any kind.
class Handle {
 public:
  Handle() = default;
  explicit Handle(hid_t id) : id_(id) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Handle() {
    if (id_ > 0) H5Idec_ref(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_ = H5I_INVALID_HID;
};

/// Takes ownership of `id`; throws Error(name, "what (HDF5's innermost complaint)") when it is negative.
Handle checked(hid_t id, const std::string& name, const std::string& what);
/// The same for calls that return a status.
void check(herr_t status, const std::string& name, const std::string& what);

/// How all our own files are opened and made: in the format of HDF5 1.8.
Handle access_list();

/// Lets a file be opened through /proc/self/fd: HDF5's usual driver asks where such a link leads, and a file that has
/// no name any more leads nowhere.
void open_without_name(hid_t access);

/// Opens an HDF5 file read-only; `name` is for messages. Throws Error for anything that isn't one. Call it within
/// rehearse() first (rehearsal.h) when the file may come from anywhere.
Handle open_file(const std::string& path, const std::string& name);

/// Opens the bytes of an HDF5 file read-only, without copying: `bytes` has to outlive every handle into the file.
Handle open_image(std::string_view bytes, const std::string& name);

/// An empty HDF5 file in memory that has no file behind it; it grows in steps of `increment` bytes.
Handle create_in_memory(size_t increment);

struct Link {
  std::string name;
  H5L_type_t type;
  H5T_cset_t encoding;
};

/// The links of a group, sorted by name.
std::vector<Link> links(hid_t group, const std::string& name);
/// The names of an object's attributes, sorted.
std::vector<std::string> attributes(hid_t object, const std::string& name);
/// Whether a link of that name exists (and, through soft links, leads to an object). `path` may have several parts.
bool exists(hid_t location, const std::string& path);

/// Opens `path` below `location`. Throws Error when it isn't there or is of another kind.
Handle open_dataset(hid_t location, const std::string& path, const std::string& name);
Handle open_group(hid_t location, const std::string& path, const std::string& name);

/// What a data set holds, and how it is read.
struct DatasetInfo {
  std::vector<int64_t> shape;
  /// Type of the tensor it is read as: its own; float16 as float, uint16 as int, uint32 as long; Undefined: not
  /// numbers.
  at::ScalarType type = at::ScalarType::Undefined;
  std::string stored;     ///< for messages: "float32", "uint16", "string", "compound", ...
  int64_t elements = 0;   ///< product of the shape
  int64_t bytes = 0;      ///< elements times the size of `type`, or of the stored type where that is Undefined
  int64_t storage = 0;    ///< bytes that it takes in the file
  bool filtered = false;  ///< compressed, or otherwise encoded in chunks
  bool chunked = false;   ///< lies in pieces
};

/// Throws Error for a null data space or a shape that no memory holds.
DatasetInfo describe(hid_t dataset, const std::string& path, const std::string& name);

/// Throws Error when a data set claims more bytes than a file of `file_bytes` can hold: its own size, or 1032 times
/// what is stored (deflate's best) where it is compressed. Call it before taking memory.
void check_size(const DatasetInfo& info, int64_t file_bytes, const std::string& path, const std::string& name);

/// Reads a whole data set as `type` (a native number type) into `to`, which has room for all elements. Only HDF5 and
/// malloc are used, so that it may run in a forked child.
void read_into(hid_t dataset, at::ScalarType type, void* to, const std::string& path, const std::string& name);

/// Where in the file the data lie in one piece, byte for byte as a tensor of `type` has them; negative where they
/// don't.
int64_t stored_as_is(hid_t dataset, at::ScalarType type);

/// Reads the first and the last element of a data set that isn't empty. As read_into() else.
void read_ends(hid_t dataset, at::ScalarType type, const std::string& path, const std::string& name);

/// Reads rows first .. first + count - 1 along the first dimension as a tensor of describe().type.
at::Tensor read_rows(hid_t dataset, int64_t first, int64_t count, const std::string& path, const std::string& name);

/// Reads a whole data set as a tensor of describe().type, on the CPU, contiguous.
at::Tensor read_tensor(hid_t dataset, const std::string& path, const std::string& name);

/// Reads a string, fixed or variable in length, from a data set or an attribute of one element. `file_bytes` bounds its
/// length.
std::string read_text(hid_t source, int64_t file_bytes, const std::string& path, const std::string& name);

/// Walks everything in a file and throws Error, naming the object, for what could reach outside it or run foreign code:
/// external and user-defined links, external storage, virtual data sets, filters other than deflate, shuffle and
/// fletcher32.
void refuse_foreign(hid_t file, const std::string& name);

/// The HDF5 native type of a tensor type; negative where there is none. Not owned by the caller.
hid_t native_type(at::ScalarType type);

}  // namespace mas::hdf5
