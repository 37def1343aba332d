#pragma once
#include <string>

#include "mas/data/source.h"

namespace mas {

/// The test part has a cache of its own, beside the training part's: photos.h5, photos-test.h5.
std::string test_cache(const std::string& cache);

/// The same pictures, read from a file that holds them decoded: HDF5 with /images (uint8 [rows, 3, height, width]) and
/// /checksums, by which damage is found. Where there is no such file, or it was made of other pictures than `identity`
/// says, it is made first; it is never anything but complete. Throws Error naming it, also where a file is in its place
/// that is none, or has come there while it was made. `may_make` false: where it would have to be made, the pictures
/// are read as they are.
Source cached(Source pictures, const std::string& identity, const std::string& path, bool may_make);

}  // namespace mas
