#include "mas/data/source.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace mas {
namespace {

constexpr int64_t kMostAtOnce = 1 << 20;  // bytes of one read

}  // namespace

int64_t Source::row_bytes() const { return checked_product(shape, static_cast<int64_t>(c10::elementSize(type))); }

std::function<void(at::ArrayRef<int64_t>, void*)> read_stretches(std::vector<Stretch> stretches, int64_t row_bytes) {
  return [stretches = std::move(stretches), row_bytes](at::ArrayRef<int64_t> rows, void* out) {
    char* target = static_cast<char*>(out);
    std::vector<char> gapped;
    for (size_t i = 0; i < rows.size();) {
      int64_t row = rows[i];
      auto stretch = stretches.begin();
      while (row >= stretch->rows) row -= (stretch++)->rows;
      // As many neighbours as follow each other here and there.
      const int64_t most = std::min(stretch->rows - row, std::max<int64_t>(1, kMostAtOnce / stretch->stride));
      int64_t count = 1;
      while (count < most && i + count < rows.size() && rows[i + count] == rows[i] + count) ++count;
      const int64_t offset = stretch->offset + row * stretch->stride;
      if (stretch->stride == row_bytes || count == 1) {
        stretch->file->read(offset, count * row_bytes, target);
      } else {
        gapped.resize(static_cast<size_t>((count - 1) * stretch->stride + row_bytes));
        stretch->file->read(offset, static_cast<int64_t>(gapped.size()), gapped.data());
        for (int64_t k = 0; k < count; ++k)
          std::memcpy(target + k * row_bytes, gapped.data() + k * stretch->stride, static_cast<size_t>(row_bytes));
      }
      target += count * row_bytes;
      i += static_cast<size_t>(count);
    }
  };
}

int64_t checked_product(const std::vector<int64_t>& dimensions, int64_t unit) {
  int64_t product = unit;
  for (int64_t dimension : dimensions) {
    if (dimension < 0 || __builtin_mul_overflow(product, dimension, &product) || product >= int64_t{1} << 62) return -1;
  }
  return product;
}

}  // namespace mas
