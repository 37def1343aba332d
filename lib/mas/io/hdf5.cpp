#include "mas/io/hdf5.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "mas/error.h"

namespace mas::hdf5 {
namespace {

// HDF5's stack from the innermost entry outwards: the first text is the cause, the rest is who called whom.
std::string innermost_complaint() {
  std::string text;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned, const H5E_error2_t* entry, void* to) -> herr_t {
        auto& out = *static_cast<std::string*>(to);
        if (out.empty() && entry->desc && *entry->desc) out = entry->desc;
        return out.empty() ? 0 : 1;
      },
      &text);
  H5Eclear2(H5E_DEFAULT);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 32) c = ' ';
  }
  return text;
}

[[noreturn]] void fail(const std::string& name, const std::string& what) {
  const std::string complaint = innermost_complaint();
  throw Error(name, complaint.empty() ? what : what + " (HDF5: " + complaint + ")");
}

// H5Pset_file_image copies the image; with these callbacks the core driver works on the caller's bytes instead.
void* borrowed_malloc(size_t, H5FD_file_image_op_t, void* bytes) { return bytes; }
void* borrowed_memcpy(void* to, const void*, size_t, H5FD_file_image_op_t, void*) { return to; }
void* borrowed_realloc(void*, size_t, H5FD_file_image_op_t, void*) { return nullptr; }  // read-only: it never grows
herr_t borrowed_free(void*, H5FD_file_image_op_t, void*) { return 0; }
void* same_udata(void* udata) { return udata; }
herr_t keep_udata(void*) { return 0; }

// The core driver takes two open files of one name for the same file.
std::string unique_name() {
  static std::atomic<unsigned> counter{0};
  return "mas-memory-" + std::to_string(counter++);
}

// h5py's bool: an enumeration of one byte with FALSE and TRUE.
bool is_bool(hid_t type) {
  if (H5Tget_class(type) != H5T_ENUM || H5Tget_size(type) != 1 || H5Tget_nmembers(type) != 2) return false;
  int8_t no = -1, yes = -1;
  return H5Tenum_valueof(type, "FALSE", &no) >= 0 && H5Tenum_valueof(type, "TRUE", &yes) >= 0 && no == 0 && yes == 1;
}

void name_type(hid_t type, DatasetInfo& info) {
  const size_t bits = 8 * H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      info.stored = "float" + std::to_string(bits);
      if (bits == 32 || bits == 16) info.type = at::kFloat;
      if (bits == 64) info.type = at::kDouble;
      break;
    case H5T_INTEGER: {
      const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
      info.stored = (is_signed ? "int" : "uint") + std::to_string(bits);
      if (bits == 8) info.type = is_signed ? at::kChar : at::kByte;
      if (bits == 16) info.type = is_signed ? at::kShort : at::kInt;
      if (bits == 32) info.type = is_signed ? at::kInt : at::kLong;
      if (bits == 64 && is_signed) info.type = at::kLong;
      break;
    }
    case H5T_ENUM:
      info.stored = is_bool(type) ? "bool" : "enum";
      if (is_bool(type)) info.type = at::kBool;
      break;
    case H5T_STRING:
      info.stored = "string";
      break;
    case H5T_COMPOUND:
      info.stored = "compound";
      break;
    case H5T_REFERENCE:
      info.stored = "reference";
      break;
    case H5T_VLEN:
      info.stored = "variable-length";
      break;
    case H5T_ARRAY:
      info.stored = "array";
      break;
    case H5T_OPAQUE:
      info.stored = "opaque";
      break;
    default:
      info.stored = "of an unknown type";
  }
}

void read_selection(hid_t dataset, at::ScalarType type, hid_t memory, hid_t selection, void* to,
                    const std::string& path, const std::string& name) {
  // Enumerations convert by member names, so a bool is read as what it is.
  const Handle own = type == at::kBool ? checked(H5Dget_type(dataset), name, path + ": unreadable type") : Handle();
  const hid_t as = type == at::kBool ? static_cast<hid_t>(own) : native_type(type);
  check(H5Dread(dataset, as, memory, selection, H5P_DEFAULT, to), name, path + ": unreadable data");
}

}  // namespace

void prepare() {
  thread_local bool done = false;  // a thread-safe HDF5 keeps the setting for each thread
  if (done) return;
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
  done = true;
}

Handle checked(hid_t id, const std::string& name, const std::string& what) {
  if (id < 0) fail(name, what);
  return Handle(id);
}

void check(herr_t status, const std::string& name, const std::string& what) {
  if (status < 0) fail(name, what);
}

Handle access_list() {
  Handle access(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
  return access;
}

void open_without_name(hid_t access) { H5Pset_fapl_stdio(access); }

Handle open_file(const std::string& path, const std::string& name) {
  prepare();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS));
  open_without_name(access);
  return checked(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), name, "not a readable HDF5 file");
}

Handle open_image(std::string_view bytes, const std::string& name) {
  prepare();
  const Handle access = access_list();
  auto* data = const_cast<char*>(bytes.data());
  H5FD_file_image_callbacks_t callbacks{
      borrowed_malloc, borrowed_memcpy, borrowed_realloc, borrowed_free, same_udata, keep_udata, data};
  check(H5Pset_fapl_core(access, 1 << 16, false), name, "no memory");
  check(H5Pset_file_image_callbacks(access, &callbacks), name, "no memory");
  check(H5Pset_file_image(access, data, bytes.size()), name, "no memory");
  return checked(H5Fopen(unique_name().c_str(), H5F_ACC_RDONLY, access), name, "damaged HDF5 file");
}

Handle create_in_memory(size_t increment) {
  prepare();
  const Handle access = access_list();
  H5Pset_fapl_core(access, increment, false);
  return checked(H5Fcreate(unique_name().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), "memory",
                 "no room for an HDF5 file");
}

std::vector<Link> links(hid_t group, const std::string& name) {
  std::vector<Link> found;
  hsize_t position = 0;
  const herr_t status = H5Literate(
      group, H5_INDEX_NAME, H5_ITER_INC, &position,
      [](hid_t, const char* link, const H5L_info_t* info, void* to) -> herr_t {
        static_cast<std::vector<Link>*>(to)->push_back({link, info->type, info->cset});
        return 0;
      },
      &found);
  check(status, name, "unreadable group");
  std::sort(found.begin(), found.end(), [](const Link& a, const Link& b) { return a.name < b.name; });
  return found;
}

std::vector<std::string> attributes(hid_t object, const std::string& name) {
  std::vector<std::string> found;
  hsize_t position = 0;
  const herr_t status = H5Aiterate2(
      object, H5_INDEX_NAME, H5_ITER_INC, &position,
      [](hid_t, const char* attribute, const H5A_info_t*, void* to) -> herr_t {
        static_cast<std::vector<std::string>*>(to)->emplace_back(attribute);
        return 0;
      },
      &found);
  check(status, name, "unreadable attributes");
  std::sort(found.begin(), found.end());
  return found;
}

bool exists(hid_t location, const std::string& path) {
  for (size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (H5Lexists(location, part.c_str(), H5P_DEFAULT) <= 0) return false;
    if (H5Oexists_by_name(location, part.c_str(), H5P_DEFAULT) <= 0) return false;
  }
  return true;
}

Handle open_dataset(hid_t location, const std::string& path, const std::string& name) {
  return checked(H5Dopen2(location, path.c_str(), H5P_DEFAULT), name, path + ": not a readable data set");
}

Handle open_group(hid_t location, const std::string& path, const std::string& name) {
  return checked(H5Gopen2(location, path.c_str(), H5P_DEFAULT), name, path + ": not a readable group");
}

DatasetInfo describe(hid_t dataset, const std::string& path, const std::string& name) {
  const Handle space = checked(H5Dget_space(dataset), name, path + ": unreadable shape");
  const Handle type = checked(H5Dget_type(dataset), name, path + ": unreadable type");
  const Handle list = checked(H5Dget_create_plist(dataset), name, path + ": unreadable layout");
  if (H5Sget_simple_extent_type(space) == H5S_NULL) throw Error(name, path + ": no data");
  const int rank = H5Sget_simple_extent_ndims(space);
  check(rank, name, path + ": unreadable shape");
  std::vector<hsize_t> dims(rank);
  check(H5Sget_simple_extent_dims(space, dims.data(), nullptr), name, path + ": unreadable shape");

  DatasetInfo info;
  info.elements = 1;
  name_type(type, info);
  bool overflow = false;
  for (const hsize_t dim : dims) {
    info.shape.push_back(static_cast<int64_t>(dim));
    overflow |= info.shape.back() < 0 || __builtin_mul_overflow(info.elements, info.shape.back(), &info.elements);
  }
  const auto size =
      static_cast<int64_t>(info.type == at::ScalarType::Undefined ? H5Tget_size(type) : c10::elementSize(info.type));
  overflow |= __builtin_mul_overflow(info.elements, size, &info.bytes);
  if (overflow) throw Error(name, path + ": impossible shape");
  info.storage = static_cast<int64_t>(H5Dget_storage_size(dataset));
  info.chunked = H5Pget_layout(list) == H5D_CHUNKED;
  info.filtered = info.chunked && H5Pget_nfilters(list) > 0;
  return info;
}

void check_size(const DatasetInfo& info, int64_t file_bytes, const std::string& path, const std::string& name) {
  constexpr int64_t kDeflateRatio = 1032;
  // What is read wider than it is stored (float16, uint16, uint32) takes twice its place in the file.
  const int64_t stored = std::min(info.storage, file_bytes);
  const int64_t room = info.filtered ? stored * kDeflateRatio : file_bytes * 2;
  const bool exact = info.stored == "float32" || info.stored == "float64" || info.stored == "int64";
  if (info.bytes > room || (exact && !info.filtered && info.bytes > file_bytes)) {
    throw Error(name, path + ": claims " + std::to_string(info.bytes) + " bytes, but the file has " +
                          std::to_string(info.filtered ? stored : file_bytes));
  }
}

void read_into(hid_t dataset, at::ScalarType type, void* to, const std::string& path, const std::string& name) {
  read_selection(dataset, type, H5S_ALL, H5S_ALL, to, path, name);
}

int64_t stored_as_is(hid_t dataset, at::ScalarType type) {
  const Handle stored(H5Dget_type(dataset)), space(H5Dget_space(dataset));
  const hid_t native = native_type(type);
  if (stored < 0 || space < 0 || native < 0 || H5Tequal(stored, native) <= 0) return -1;
  const hssize_t elements = H5Sget_simple_extent_npoints(space);
  const hsize_t bytes = static_cast<hsize_t>(elements) * c10::elementSize(type);
  if (elements <= 0 || H5Dget_storage_size(dataset) != bytes) return -1;
  const haddr_t at = H5Dget_offset(dataset);  // of contiguous data alone
  return at == HADDR_UNDEF || at > INT64_MAX ? -1 : static_cast<int64_t>(at);
}

void read_ends(hid_t dataset, at::ScalarType type, const std::string& path, const std::string& name) {
  const Handle selection = checked(H5Dget_space(dataset), name, path + ": unreadable shape");
  std::vector<hsize_t> ends(H5Sget_simple_extent_ndims(selection), 0);
  const size_t rank = ends.size();
  hsize_t count = 1;
  if (rank > 0) {
    ends.resize(2 * rank);
    check(H5Sget_simple_extent_dims(selection, ends.data() + rank, nullptr), name, path + ": unreadable shape");
    for (size_t i = rank; i < ends.size(); i++) ends[i]--;
    count = 2;
    check(H5Sselect_elements(selection, H5S_SELECT_SET, count, ends.data()), name, path + ": unreadable shape");
  }
  const Handle memory(H5Screate_simple(1, &count, nullptr));
  double values[2];  // room for two of any type
  read_selection(dataset, type, memory, selection, values, path, name);
}

at::Tensor read_rows(hid_t dataset, int64_t first, int64_t count, const std::string& path, const std::string& name) {
  const DatasetInfo info = describe(dataset, path, name);
  if (info.type == at::ScalarType::Undefined) throw Error(name, path + ": " + info.stored + ", expected numbers");
  if (info.shape.empty() || first < 0 || count < 0 || first + count > info.shape[0]) {
    throw Error(name, path + ": no rows " + std::to_string(first) + " to " + std::to_string(first + count - 1));
  }
  std::vector<int64_t> shape = info.shape;
  shape[0] = count;
  at::Tensor rows = at::empty(shape, info.type);
  if (rows.numel() == 0) return rows;
  std::vector<hsize_t> start(shape.size(), 0), extent(shape.begin(), shape.end());
  start[0] = static_cast<hsize_t>(first);
  const Handle selection = checked(H5Dget_space(dataset), name, path + ": unreadable shape");
  check(H5Sselect_hyperslab(selection, H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr), name,
        path + ": unreadable rows");
  const Handle memory(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr));
  read_selection(dataset, info.type, memory, selection, rows.data_ptr(), path, name);
  return rows;
}

at::Tensor read_tensor(hid_t dataset, const std::string& path, const std::string& name) {
  const DatasetInfo info = describe(dataset, path, name);
  if (info.type == at::ScalarType::Undefined) throw Error(name, path + ": " + info.stored + ", expected numbers");
  at::Tensor tensor = at::empty(info.shape, info.type);
  if (tensor.numel() > 0) read_into(dataset, info.type, tensor.data_ptr(), path, name);
  return tensor;
}

std::string read_text(hid_t source, int64_t file_bytes, const std::string& path, const std::string& name) {
  const bool attribute = H5Iget_type(source) == H5I_ATTR;
  const Handle type = checked(attribute ? H5Aget_type(source) : H5Dget_type(source), name, path + ": unreadable type");
  const Handle space =
      checked(attribute ? H5Aget_space(source) : H5Dget_space(source), name, path + ": unreadable shape");
  if (H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_npoints(space) != 1) {
    throw Error(name, path + ": expected one string");
  }
  const auto read = [&](void* to) {
    const herr_t status =
        attribute ? H5Aread(source, type, to) : H5Dread(source, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
    check(status, name, path + ": unreadable string");
  };
  if (H5Tis_variable_str(type) > 0) {
    char* text = nullptr;
    read(&text);
    std::string result = text ? text : "";
    H5free_memory(text);
    return result;
  }
  const size_t size = H5Tget_size(type);
  if (size > static_cast<size_t>(file_bytes)) {
    throw Error(name,
                path + ": claims " + std::to_string(size) + " bytes, but the file has " + std::to_string(file_bytes));
  }
  std::string text(size, '\0');
  read(text.data());
  if (H5Tget_strpad(type) == H5T_STR_SPACEPAD) {
    text.erase(text.find_last_not_of(' ') + 1);
  } else {
    text.resize(std::strlen(text.c_str()));
  }
  return text;
}

hid_t native_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return H5T_NATIVE_FLOAT;
    case at::kDouble:
      return H5T_NATIVE_DOUBLE;
    case at::kLong:
      return H5T_NATIVE_INT64;
    case at::kInt:
      return H5T_NATIVE_INT32;
    case at::kShort:
      return H5T_NATIVE_INT16;
    case at::kChar:
      return H5T_NATIVE_INT8;
    case at::kByte:
      return H5T_NATIVE_UINT8;
    default:
      return H5I_INVALID_HID;
  }
}

}  // namespace mas::hdf5
