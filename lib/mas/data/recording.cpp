#include "mas/data/recording.h"

#include <algorithm>

#include "mas/data/loader.h"

namespace mas {
namespace {

int64_t row_bytes(int64_t width) { return width * static_cast<int64_t>(sizeof(float)); }

}  // namespace

Recording::Recording(Dataset& data, std::vector<int64_t> rows, int64_t batch_size, int64_t width,
                     const std::function<at::Tensor(const at::Tensor&)>& outputs, const std::string& scratch,
                     const std::string& name)
    : rows_(std::move(rows)), width_(width) {
  at::NoGradGuard no_grad;
  Spool spool(scratch, name);
  spool.reserve(static_cast<int64_t>(rows_.size()) * row_bytes(width));
  LoaderOptions in_order;
  in_order.batch_size = batch_size;
  in_order.labels = false;
  Loader loader(data, rows_, in_order);
  for (Batch batch; loader.next(batch);) {
    const auto values = outputs(batch.images).contiguous();
    spool.write(values.data_ptr<float>(), static_cast<int64_t>(batch.rows.size()) * row_bytes(width));
  }
  file_ = spool.finish();
}

void Recording::check_room(int64_t rows, int64_t width, const std::string& scratch, const std::string& name) {
  Spool(scratch, name).reserve(rows * row_bytes(width));
}

at::Tensor Recording::of(at::ArrayRef<int64_t> rows) const {
  const auto values = at::empty({static_cast<int64_t>(rows.size()), width_}, at::kFloat);
  auto* to = values.data_ptr<float>();
  for (const int64_t row : rows) {
    const int64_t place = std::lower_bound(rows_.begin(), rows_.end(), row) - rows_.begin();
    file_->read(place * row_bytes(width_), row_bytes(width_), to);
    to += width_;
  }
  return values;
}

}  // namespace mas
