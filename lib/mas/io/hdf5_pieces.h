#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "mas/io/hdf5.h"

namespace mas::hdf5 {

/// Data sets of so many bytes and more begin at a multiple of kAlignment, so that tensors may lie in a file's bytes.
constexpr size_t kAlignedFrom = size_t{64} << 10, kAlignment = 64;  // LibTorch's allocator aligns to as many

/// A new HDF5 file that is made in memory and given out in pieces. Large data aren't copied for it: their pieces are
/// the memory that they were written from.
class PieceFile {
 public:
  /// `creation` as for H5Fcreate. Throws Error.
  explicit PieceFile(hid_t creation);
  ~PieceFile();
  operator hid_t() const { return file_; }

  /// What HDF5 writes from these bytes before the next call stays where it is: it must not change, nor go, as long as
  /// the pieces are needed.
  void lend(const void* bytes, size_t count);
  /// Ends the file; handles into it are of no use any more. Throws Error.
  void close();
  /// Puts bytes over those at the beginning, where no lent ones may lie.
  void overwrite_start(std::string_view bytes);
  /// All bytes of the closed file, in order. They live as long as this.
  std::vector<std::string_view> pieces() const;

  /// What HDF5 writes into.
  class Store;

 private:
  std::unique_ptr<Store> store_;
  Handle file_;
};

}  // namespace mas::hdf5
