#include "mas/data/remarks.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "mas/text.h"

namespace mas {
namespace {

constexpr int64_t kLooked = 64;      // samples
constexpr double kMostOfImages = 8;  // far above 0..1, and above what normalising by mean and deviation leaves

double largest_of_first(Dataset& data) {
  std::vector<int64_t> rows(static_cast<size_t>(std::min(kLooked, data.size())));
  std::iota(rows.begin(), rows.end(), 0);
  return data.images(rows).max().item<double>();
}

}  // namespace

std::vector<std::string> remarks_on(Dataset& data, const std::string& spec) {
  std::vector<std::string> remarks;
  const auto shape = data.sample_shape();
  if (shape.size() != 3 || data.stored_type() == at::kLong) return remarks;
  const auto colours = [](int64_t channels) { return channels == 1 || channels == 3; };
  if (colours(shape[2]) && !colours(shape[0])) {
    remarks.push_back(fmt::format("{}: images of {} are {} channels of {} x {}; write channels first if they are last",
                                  spec, shape_text(shape), shape[0], shape[1], shape[2]));
  }
  if (data.stored_type() == at::kFloat && data.size() > 0) {
    const double largest = largest_of_first(data);
    if (largest > kMostOfImages) {
      remarks.push_back(
          fmt::format("{}: values up to {:g}, where images usually have 0 to 1; pixels of 0 to 255 are "
                      "best stored as uint8",
                      spec, largest));
    }
  }
  return remarks;
}

}  // namespace mas
