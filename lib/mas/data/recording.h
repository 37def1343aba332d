#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mas/data/dataset.h"
#include "mas/data/file.h"

namespace mas {

/// What a network gave for some rows of a data set. It lies in a nameless file: memory is bounded by a batch, however
/// many rows there are.
class Recording {
 public:
  /// Calls `outputs` with batches of samples [n, ...]; it returns `width` values for each, float32 [n, width].
  /// `rows` ascend. `scratch`: the folder; `name`: what errors call the recording. Throws Error where there is no room.
  Recording(Dataset& data, std::vector<int64_t> rows, int64_t batch_size, int64_t width,
            const std::function<at::Tensor(const at::Tensor&)>& outputs, const std::string& scratch,
            const std::string& name);

  /// Throws Error where a recording would find no room, which is better known before a training than after.
  static void check_room(int64_t rows, int64_t width, const std::string& scratch, const std::string& name);

  /// float32 [n, width], what was recorded for these of the rows.
  at::Tensor of(at::ArrayRef<int64_t> rows) const;

 private:
  std::vector<int64_t> rows_;
  int64_t width_;
  std::shared_ptr<File> file_;
};

}  // namespace mas
