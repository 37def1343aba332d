#include "mas/io/unknown_content.h"

#include "mas/error.h"

namespace mas {
namespace {

using hdf5::check;
using hdf5::checked;
using hdf5::Handle;

std::string join(const std::string& path, const std::string& name) {
  return path == "/" ? path + name : path + "/" + name;
}

bool holds_references(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_REFERENCE:
      return true;
    case H5T_VLEN:
    case H5T_ARRAY:
      return holds_references(Handle(H5Tget_super(type)));
    case H5T_COMPOUND:
      for (int i = 0; i < H5Tget_nmembers(type); ++i) {
        if (holds_references(Handle(H5Tget_member_type(type, i)))) return true;
      }
      return false;
    default:
      return false;
  }
}

// Copies an attribute between files; false when it holds references. H5Ocopy can copy attributes only with their
// object.
bool copy_attribute(hid_t from, hid_t to, const std::string& attribute, size_t most, const std::string& subject,
                    const std::string& name) {
  const std::string what = subject + ": unreadable attribute " + attribute;
  const Handle source = checked(H5Aopen(from, attribute.c_str(), H5P_DEFAULT), name, what);
  const Handle stored = checked(H5Aget_type(source), name, what);
  const Handle type = checked(H5Tcopy(stored), name, what);  // a committed type belongs to its file
  const Handle space = checked(H5Aget_space(source), name, what);
  const Handle list = checked(H5Aget_create_plist(source), name, what);
  if (holds_references(type)) return false;
  const hssize_t elements = H5Sget_simple_extent_type(space) == H5S_NULL ? 0 : H5Sget_simple_extent_npoints(space);
  const size_t size = H5Tget_size(type);
  size_t bytes = 0;
  if (elements < 0 || __builtin_mul_overflow(static_cast<size_t>(elements), size, &bytes) || bytes > most) {
    throw Error(name, what + " (it claims more bytes than the file has)");
  }
  const Handle copy = checked(H5Acreate2(to, attribute.c_str(), type, space, list, H5P_DEFAULT), name, what);
  if (bytes == 0) return true;
  std::vector<char> data(bytes);
  check(H5Aread(source, type, data.data()), name, what);
  const herr_t status = H5Awrite(copy, type, data.data());
  if (H5Tdetect_class(type, H5T_VLEN) > 0 || H5Tdetect_class(type, H5T_STRING) > 0) {
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, data.data());
  }
  check(status, name, what);
  return true;
}

Handle link_list(H5T_cset_t encoding) {
  Handle list(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_char_encoding(list, encoding);
  return list;
}

void copy_object(hid_t from, const std::string& source, hid_t to, const std::string& target, H5T_cset_t encoding,
                 const std::string& subject, const std::string& name) {
  const Handle list = link_list(encoding);
  check(H5Ocopy(from, source.c_str(), to, target.c_str(), H5P_DEFAULT, list), name, subject + ": unreadable content");
}

}  // namespace

hid_t UnknownContent::holder() {
  constexpr size_t kIncrement = 1 << 16;
  if (holder_ < 0) holder_ = hdf5::create_in_memory(kIncrement);
  return holder_;
}

void UnknownContent::keep_link(hid_t group, const std::string& path, const hdf5::Link& link, const std::string& name) {
  const std::string subject = join(path, link.name);
  Kept kept{path, link.name, "", "", link.encoding};
  if (link.type == H5L_TYPE_SOFT) {
    H5L_info_t info;
    check(H5Lget_info(group, link.name.c_str(), &info, H5P_DEFAULT), name, subject + ": unreadable link");
    kept.target.resize(info.u.val_size);
    check(H5Lget_val(group, link.name.c_str(), kept.target.data(), kept.target.size(), H5P_DEFAULT), name,
          subject + ": unreadable link");
    kept.target.resize(kept.target.find('\0') == std::string::npos ? kept.target.size() : kept.target.find('\0'));
  } else {
    kept.stored = "object " + std::to_string(objects_.size());
    copy_object(group, link.name, holder(), kept.stored, link.encoding, subject, name);
  }
  objects_.push_back(kept);
}

void UnknownContent::keep_attributes(hid_t object, const std::string& path, const std::set<std::string>& known,
                                     int64_t file_bytes, const std::string& name) {
  for (const std::string& attribute : hdf5::attributes(object, name)) {
    if (known.count(attribute) > 0) continue;
    Kept kept{path, attribute, "attribute " + std::to_string(attributes_.size()), ""};
    const Handle carrier = checked(H5Gcreate2(holder(), kept.stored.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                                   name, path + ": no memory");
    if (copy_attribute(object, carrier, attribute, static_cast<size_t>(file_bytes), path, name))
      attributes_.push_back(kept);
  }
}

void UnknownContent::restore(hid_t file, const std::string& name) const {
  for (const Kept& kept : attributes_) {
    if (kept.path != "/" && !hdf5::exists(file, kept.path.substr(1))) continue;
    const Handle object = checked(H5Oopen(file, kept.path.c_str(), H5P_DEFAULT), name, kept.path + ": unreadable");
    if (H5Aexists(object, kept.name.c_str()) > 0) continue;
    const Handle carrier = hdf5::open_group(holder_, kept.stored, name);
    copy_attribute(carrier, object, kept.name, SIZE_MAX, kept.path, name);
  }
  for (const Kept& kept : objects_) {
    if (kept.path != "/" && !hdf5::exists(file, kept.path.substr(1))) continue;
    const Handle group = hdf5::open_group(file, kept.path, name);
    if (H5Lexists(group, kept.name.c_str(), H5P_DEFAULT) > 0) continue;
    const std::string subject = join(kept.path, kept.name);
    if (!kept.stored.empty()) {
      copy_object(holder_, kept.stored, group, kept.name, kept.encoding, subject, name);
      continue;
    }
    check(H5Lcreate_soft(kept.target.c_str(), group, kept.name.c_str(), link_list(kept.encoding), H5P_DEFAULT), name,
          subject + ": link not written");
  }
}

}  // namespace mas
