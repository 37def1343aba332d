#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "mas/fingerprint.h"

namespace mas {

/// Bytes before the HDF5 part of a model file: one line of text with a digest of all that follows, then zeros.
constexpr size_t kUserBlock = 512;

/// The user block for the HDF5 part of that content: "mas-model xxh3-128 <32 hexadecimal digits>\n", zeros to 512
/// bytes.
std::string user_block(const Fingerprint& content);
std::string user_block(std::string_view content);

/// Whether a file begins with such a block; false too where there is none or it can't be read.
bool is_model_file(const std::string& path);

/// Where the HDF5 file whose superblock lies at `superblock` says that it ends; 0 where it doesn't say.
size_t recorded_end(std::string_view bytes, size_t superblock);

/// How many bytes of an input that begins like this can matter: one more than its header calls for (which
/// check_integrity() then sees), or what it takes to tell what else it is.
size_t bytes_to_read(const std::string& head);

enum class Integrity {
  kVerified,  ///< the user block is ours and every byte of the file is as it was written
  kUnknown,   ///< a plain HDF5 file without a user block: nothing vouches for it
};

/// Looks at the bytes of a would-be model file before HDF5 does. Throws Error(name, ...) for what is no HDF5 file
/// (naming likely mistakes: TorchScript, pickle, HTML, a Git LFS pointer, ...), is cut short, or isn't what its digest
/// says.
Integrity check_integrity(std::string_view bytes, const std::string& name);

}  // namespace mas
