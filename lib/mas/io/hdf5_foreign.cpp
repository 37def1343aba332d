#include <set>

#include "mas/error.h"
#include "mas/io/hdf5.h"

namespace mas::hdf5 {
namespace {

std::string join(const std::string& path, const std::string& child) {
  return path == "/" ? path + child : path + "/" + child;
}

// Filters are asked of the creation list in the file; H5Pget_filter2 would need the plug-in only to name it.
void refuse_foreign_dataset(hid_t dataset, const std::string& path, const std::string& name) {
  const Handle list = checked(H5Dget_create_plist(dataset), name, path + ": unreadable layout");
  const H5D_layout_t layout = H5Pget_layout(list);
  if (layout == H5D_VIRTUAL) throw Error(name, path + ": a virtual data set, refused");
  if (layout == H5D_CONTIGUOUS && H5Pget_external_count(list) > 0) {
    throw Error(name, path + ": its data lie in another file (external storage), refused");
  }
  const int filters = H5Pget_nfilters(list);
  check(filters, name, path + ": unreadable filters");
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0, config = 0;
    size_t values = 0;
    char text[64] = "";
    const H5Z_filter_t filter = H5Pget_filter2(list, i, &flags, &values, nullptr, sizeof text, text, &config);
    check(filter, name, path + ": unreadable filters");
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32) {
      throw Error(name,
                  path + ": filter " + std::to_string(filter) + " refused; deflate, shuffle and fletcher32 are read");
    }
  }
}

void refuse_foreign_below(hid_t group, const std::string& path, const std::string& name, int depth,
                          std::set<haddr_t>& seen) {
  constexpr int kDeepest = 64;
  if (depth > kDeepest) throw Error(name, path + ": groups nested deeper than " + std::to_string(kDeepest));
  for (const Link& link : links(group, name)) {
    const std::string child = join(path, link.name);
    if (link.type == H5L_TYPE_SOFT) continue;  // within this file; every link it can lead to is visited here
    if (link.type == H5L_TYPE_EXTERNAL) throw Error(name, child + ": a link to another file, refused");
    if (link.type != H5L_TYPE_HARD) throw Error(name, child + ": a user-defined link, refused");
    const Handle object = checked(H5Oopen(group, link.name.c_str(), H5P_DEFAULT), name, child + ": unreadable");
    H5O_info_t info;
    check(H5Oget_info1(object, &info), name, child + ": unreadable");
    if (!seen.insert(info.addr).second) continue;
    if (info.type == H5O_TYPE_GROUP) refuse_foreign_below(object, child, name, depth + 1, seen);
    if (info.type == H5O_TYPE_DATASET) refuse_foreign_dataset(object, child, name);
  }
}

}  // namespace

void refuse_foreign(hid_t file, const std::string& name) {
  std::set<haddr_t> seen;
  refuse_foreign_below(checked(H5Gopen2(file, "/", H5P_DEFAULT), name, "unreadable root group"), "/", name, 0, seen);
}

}  // namespace mas::hdf5
