#pragma once
#include <string>

#include "mas/data/formats.h"

namespace mas {

/// Whether there are pictures in the folder, or anywhere below it.
bool holds_pictures(const std::string& folder);

/// Whether the folder has a folder test, or val in its place.
bool picture_folder_has_test_part(const std::string& folder);

/// class/file, or train|val|test/class/file: labels are places of the classes' names in their order, those of the
/// training part where there is one. Folders within a class belong to it. Without classes, files without labels. Throws
/// Error.
Source open_picture_folder(const std::string& folder, bool wants_test, const SourceRequest& request);

}  // namespace mas
