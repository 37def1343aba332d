#include "mas/importance/leaf.h"

#include <ATen/WrapDimUtils.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/generated/Functions.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "mas/importance/integers.h"

namespace mas {
namespace {

using torch::autograd::Node;
using namespace torch::autograd::generated;

template <class Backward>
const Backward* as(const Node& node) {
  return dynamic_cast<const Backward*>(&node);
}

// Elements keep their order, and get another shape.
bool reshapes(const std::string& name) {
  static const std::set<std::string> names{"ViewBackward0",      "UnsafeViewBackward0", "ReshapeAliasBackward0",
                                           "UnsqueezeBackward0", "SqueezeBackward0",    "SqueezeBackward1"};
  return names.count(name) > 0;
}

// What output_shape() tells, without making a tensor of that size: the text of an error has it too.
std::string shape_text(const Leaf::Step& step) {
  const auto text = step.node->input_metadata(step.output).incompatible_shape_error_message(0, at::empty({0})).str();
  return text.substr(text.rfind('['));
}

// Which elements a step takes, and where it puts them, where its name doesn't tell.
std::string detail(const Leaf::Step& step) {
  const Node& node = *step.node;
  if (reshapes(node.name())) return shape_text(step);
  if (const auto* slice = as<SliceBackward0>(node))
    return fmt::format("{},{},{},{}", slice->dim, slice->start ? integer(*slice->start) : 0,
                       slice->end ? integer(*slice->end) : INT64_MAX, integer(slice->step));
  if (const auto* select = as<SelectBackward0>(node)) return fmt::format("{},{}", select->dim, integer(select->index));
  const std::string output = step.output ? std::to_string(step.output) : "";
  if (const auto* split = as<SplitBackward0>(node))
    return fmt::format("{},{},{}", split->dim, integer(split->split_size), output);
  if (const auto* split = as<SplitWithSizesBackward0>(node))
    return fmt::format("{},{},{}", split->dim, fmt::join(integers(split->split_sizes), ","), output);
  if (const auto* unbind = as<UnbindBackward0>(node)) return fmt::format("{},{}", unbind->dim, output);
  return turned_dimensions(node) + output;
}

struct Range {
  int64_t begin, end;
};

/// The elements of a parameter that a leaf sees, at most: a range of each dimension.
class Part {
 public:
  explicit Part(const Leaf& leaf) : dims_(leaf.shape.size()) {
    for (const int64_t size : leaf.shape) ranges_.push_back({0, size});
    std::iota(dims_.begin(), dims_.end(), 0);
    for (auto step = leaf.chain.rbegin(); step != leaf.chain.rend(); ++step)
      if (!follow(*step)) break;
  }
  bool meets(const Part& other) const {
    return std::equal(ranges_.begin(), ranges_.end(), other.ranges_.begin(),
                      [](const Range& a, const Range& b) { return a.begin < b.end && b.begin < a.end; });
  }

 private:
  int64_t place(int64_t dim) const { return at::maybe_wrap_dim(dim, int64_t(dims_.size())); }
  Range& range(int64_t dim) { return ranges_[dims_[place(dim)]]; }
  void narrow(int64_t dim, int64_t first, int64_t count) {
    Range& r = range(dim);
    r.begin += first;
    r.end = std::min(r.end, r.begin + count);
  }
  void select(int64_t dim, int64_t index) {
    const Range& r = range(dim);
    narrow(dim, index < 0 ? index + r.end - r.begin : index, 1);
    dims_.erase(dims_.begin() + place(dim));
  }
  bool slice(const SliceBackward0& slice) {
    if (integer(slice.step) != 1) return false;
    const Range& r = range(slice.dim);
    const auto inside = [size = r.end - r.begin](int64_t i) {
      return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size);
    };
    const int64_t begin = inside(slice.start ? integer(*slice.start) : 0);
    narrow(slice.dim, begin, inside(slice.end ? integer(*slice.end) : INT64_MAX) - begin);
    return true;
  }
  void permute(const std::vector<int64_t>& order) {
    const auto before = dims_;
    for (size_t i = 0; i < order.size(); i++) dims_[i] = before[place(order[i])];
  }
  // False where it isn't known what the step does; the part that was known before holds what comes after, too.
  bool follow(const Leaf::Step& step) {
    const Node& node = *step.node;
    const int64_t output = step.output;
    if (node.name() == "TBackward0") {
      std::reverse(dims_.begin(), dims_.end());
    } else if (const auto* transpose = as<TransposeBackward0>(node)) {
      std::swap(dims_[place(transpose->dim0)], dims_[place(transpose->dim1)]);
    } else if (const auto* order = as<PermuteBackward0>(node)) {
      permute(order->dims);
    } else if (const auto* split = as<SplitBackward0>(node)) {
      narrow(split->dim, output * integer(split->split_size), integer(split->split_size));
    } else if (const auto* parts = as<SplitWithSizesBackward0>(node)) {
      const auto sizes = integers(parts->split_sizes);
      narrow(parts->dim, std::accumulate(sizes.begin(), sizes.begin() + output, int64_t(0)), sizes[output]);
    } else if (const auto* some = as<SliceBackward0>(node)) {
      return slice(*some);
    } else if (const auto* one = as<SelectBackward0>(node)) {
      select(one->dim, integer(one->index));
    } else if (const auto* each = as<UnbindBackward0>(node)) {
      select(each->dim, output);
    } else {
      return false;
    }
    return true;
  }

  std::vector<Range> ranges_;  // of the parameter's dimensions
  std::vector<int64_t> dims_;  // which of them the dimensions are of what the steps so far made
};

}  // namespace

at::Tensor Leaf::pull(at::Tensor value) const {
  for (const auto& [node, output] : chain) {
    torch::autograd::variable_list values(node->num_inputs());
    values.at(output) = std::move(value);
    value = (*node)(std::move(values))[0];
  }
  return value;
}

bool Leaf::transposes() const {
  return std::all_of(chain.begin(), chain.end(), [](const Step& step) { return step.node->name() == "TBackward0"; });
}

std::string Leaf::signature() const {
  std::string names;
  for (const auto& step : chain) names += ">" + step.node->name() + detail(step);
  return names;
}

bool lie_apart(const std::vector<const Leaf*>& leaves) {
  std::vector<Part> parts;
  for (const Leaf* leaf : leaves) {
    const Part part(*leaf);
    if (std::any_of(parts.begin(), parts.end(), [&](const Part& other) { return part.meets(other); })) return false;
    parts.push_back(part);
  }
  return true;
}

std::string turned_dimensions(const Node& node) {
  if (const auto* transpose = as<TransposeBackward0>(node))
    return fmt::format("{},{}", transpose->dim0, transpose->dim1);
  if (const auto* permute = as<PermuteBackward0>(node)) return fmt::format("{}", fmt::join(permute->dims, ","));
  return "";
}

}  // namespace mas
