#include "mas/io/block.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace mas {
namespace {

constexpr size_t kAlignment = 64, kHugePage = size_t{2} << 20;

// A fault for each 4 KiB takes longer than to read them. On systems without huge pages the advice is ignored.
char* take(size_t room) {
  const bool huge = room >= 4 * kHugePage;
  const size_t alignment = huge ? kHugePage : kAlignment;
  room = (room / alignment + 1) * alignment;
  void* bytes = std::aligned_alloc(alignment, room);
  if (!bytes) throw std::bad_alloc();
  if (huge) madvise(bytes, room, MADV_HUGEPAGE);
  return static_cast<char*>(bytes);
}

}  // namespace

Block::Block(std::string_view bytes) {
  resize(bytes.size());
  if (!bytes.empty()) std::memcpy(data(), bytes.data(), bytes.size());
}

void Block::resize(size_t size) {
  if (size > room_) {
    std::unique_ptr<char, Free> larger(take(size));
    if (size_ > 0) std::memcpy(larger.get(), data(), size_);
    bytes_ = std::move(larger);
    room_ = size;
  }
  size_ = size;
}

}  // namespace mas
