#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mas {

/// What the beginning of a picture says.
struct PictureHeader {
  int64_t height = 0, width = 0;  ///< as stored
  int orientation = 1;            ///< EXIF's, 1 to 8: how the stored picture has to be turned
};

/// A kind of picture, recognised by its first bytes. `name` is the file's, for errors.
struct PictureKind {
  const char* name;
  bool (*recognise)(std::string_view bytes);
  /// Nothing where it takes more bytes. Throws Error.
  std::optional<PictureHeader> (*header)(std::string_view bytes, const std::string& name);
  /// A whole file as the decoder gets it: proved to be there to its end, as far as the kind lets that be known, and
  /// without what the decoder doesn't need. Throws Error.
  std::string (*prepare)(std::string bytes, const std::string& name);
  /// Blue, green and red of each pixel, as OpenCV gives them, of what was prepared; null: OpenCV decodes it. Throws
  /// Error.
  std::vector<uint8_t> (*decode)(const std::string& bytes, const PictureHeader& header,
                                 const std::string& name) = nullptr;
};

/// Null where the bytes begin no picture that is read.
const PictureKind* find_picture_kind(std::string_view bytes);

// One line for each in decode.cpp.
extern const PictureKind kPng, kJpeg, kBmp, kWebp;

}  // namespace mas
