#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "mas/data/file.h"

namespace mas {

/// Whether a file of this name is meant to be a picture, by its ending in any case: also a kind that isn't read, so
/// that it is missed by nobody.
bool has_picture_name(const std::string& name);
/// The endings of what is read, for messages.
constexpr const char* kPictureEndings = ".png, .jpg, .jpeg, .bmp, .webp";

/// Height and width as the picture is to be seen, by a look at the file's beginning. Throws Error where it is no
/// picture that is read, or one too large.
std::pair<int64_t, int64_t> picture_sides(const File& file);

struct Picture {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> rgb;  ///< a plane each
};

/// All of it. Turned as EXIF says; grey is r = g = b, of 16 bits the high ones are taken, alpha is dropped. Throws
/// Error for damaged and cut files.
Picture decode_picture(const File& file);

}  // namespace mas
