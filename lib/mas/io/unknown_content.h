#pragma once
#include <set>
#include <string>
#include <vector>

#include "mas/io/hdf5.h"

namespace mas {

/// What a model file holds that this version doesn't know, kept in an HDF5 file in memory: objects as H5Ocopy copies
/// them, soft links, and attributes of known objects. Object references don't survive a copy: an attribute that holds
/// some is left out.
class UnknownContent {
 public:
  bool empty() const { return objects_.empty() && attributes_.empty(); }

  /// Keeps the object or soft link `link` of `group`, which lies at `path`.
  void keep_link(hid_t group, const std::string& path, const hdf5::Link& link, const std::string& name);
  /// Keeps all attributes of `object`, which lies at `path`, except the known ones.
  void keep_attributes(hid_t object, const std::string& path, const std::set<std::string>& known, int64_t file_bytes,
                       const std::string& name);
  /// Puts everything in its place in a file that has the known content already. What was attached to a part that is no
  /// longer there goes with it; what is there already isn't overwritten.
  void restore(hid_t file, const std::string& name) const;

 private:
  struct Kept {
    std::string path;    ///< of the group or object that it belongs to
    std::string name;    ///< of the link or attribute
    std::string stored;  ///< its name in the holder, for an attribute that of its carrier; empty: a soft link
    std::string target;  ///< of a soft link
    H5T_cset_t encoding = H5T_CSET_ASCII;
  };

  hid_t holder();

  hdf5::Handle holder_;
  std::vector<Kept> objects_;
  std::vector<Kept> attributes_;
};

}  // namespace mas
