#pragma once
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace mas {

/// Bytes in memory that tensors may share: aligned as LibTorch's own allocator does, in huge pages where there are
/// many.
class Block {
 public:
  Block() = default;
  explicit Block(std::string_view bytes);

  char* data() { return bytes_.get(); }
  size_t size() const { return size_; }
  std::string_view view() const { return {bytes_.get(), size_}; }
  /// Keeps what fits; what is new is anything. Throws std::bad_alloc.
  void resize(size_t size);

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<char, Free> bytes_;
  size_t size_ = 0, room_ = 0;
};

}  // namespace mas
