#pragma once
#include <string>

#include "mas/data/formats.h"

namespace mas {

/// Opens the training or the test part that lies in a folder: files with names by which sets are published, or
/// pictures. Throws Error.
Source open_folder(const std::string& folder, bool wants_test, const SourceRequest& request);

/// Whether a folder has files with names by which parts are known, train.h5 or the like; what is written there may
/// become one of them.
bool has_parts(const std::string& folder);

/// Whether the file lies in the folder, or below it, by whatever name.
bool is_within(const std::string& folder, const std::string& file);

/// Whether a path that is there is a folder with a test part.
bool path_has_test_part(const std::string& path);

}  // namespace mas
