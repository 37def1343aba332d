#include "mas/importance/leaf.h"

#include <algorithm>
#include <fmt/format.h>
#include <torch/csrc/autograd/generated/Functions.h>

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

std::string turned_dimensions(const Node& node) {
  if (const auto* transpose = as<TransposeBackward0>(node))
    return fmt::format("{},{}", transpose->dim0, transpose->dim1);
  if (const auto* permute = as<PermuteBackward0>(node)) return fmt::format("{}", fmt::join(permute->dims, ","));
  return "";
}

}  // namespace mas
