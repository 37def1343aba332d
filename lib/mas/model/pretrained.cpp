#include "mas/model/pretrained.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "mas/error.h"
#include "mas/text.h"

namespace mas {
namespace {

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& entry : tensors) names.push_back(entry.first);
  return names;
}

std::string nearest_name(const std::string& name, const NamedTensors& tensors) {
  const std::string found = nearest(name, names_of(tensors));
  return found.empty() ? "" : "; the nearest name is " + found;
}

// From one set of tensors into another: first everything is looked at, then copied.
class Adoption {
 public:
  Adoption(NamedTensors from, std::string name) : from_(std::move(from)), name_(std::move(name)) {}

  const NamedTensors& rest() const { return from_; }
  void leave_out(const std::string& tensor) { from_.erase(tensor); }

  /// The file's `tensor` is to become `to`.
  void plan(const std::string& tensor, const at::Tensor& to) {
    const auto it = from_.find(tensor);
    if (it == from_.end()) throw Error(name_, fmt::format("{} is missing{}", tensor, nearest_name(tensor, from_)));
    if (it->second.sizes() != to.sizes()) {
      throw Error(name_, fmt::format("{}: shape {}, but the architecture needs {}", tensor,
                                     shape_text(it->second.sizes()), shape_text(to.sizes())));
    }
    plans_.push_back({to, converted(tensor, it->second, to.scalar_type())});
    from_.erase(it);
  }

  void carry_out() {
    at::NoGradGuard no_grad;
    for (const auto& [to, value] : plans_) to.detach().copy_(value);
  }

  std::vector<std::string> notices() const {
    std::vector<std::string> lines;
    for (const auto& [type, count] : other_types_) {
      lines.push_back(fmt::format("{} tensor{} of {} {} to float32", count, count == 1 ? "" : "s", type_text(type),
                                  type == at::kDouble ? "rounded" : "widened"));
    }
    return lines;
  }

 private:
  at::Tensor converted(const std::string& tensor, const at::Tensor& value, at::ScalarType type) {
    const auto from = value.scalar_type();
    if (from != type) {
      if (!value.is_floating_point() || type != at::kFloat) {
        throw Error(name_,
                    fmt::format("{}: {}, but the architecture needs {}", tensor, type_text(from), type_text(type)));
      }
      other_types_[from]++;
    }
    at::Tensor result = value.to(type);
    if (!at::isfinite(result).all().item<bool>()) {
      throw Error(name_, fmt::format("{}: holds NaN or infinity, or values too large for float32", tensor));
    }
    return result;
  }

  NamedTensors from_;
  std::string name_;
  std::vector<std::pair<at::Tensor, at::Tensor>> plans_;
  std::map<at::ScalarType, int> other_types_;
};

// The file's last layer, which becomes the first task's head where both are of one size.
std::vector<std::string> adopt_head(const Model& model, const std::string& head, Adoption& adoption) {
  const std::string weight = head + ".weight", bias = head + ".bias";
  const auto found = adoption.rest().find(weight);
  if (found == adoption.rest().end()) return {};
  const NamedTensors own = model.head_parameters(model.tasks().back());
  std::string why;
  if (own.empty()) {
    why = "the network has outputs of its own, without a head";
  } else if (const auto sizes = found->second.sizes(), needed = own.at("weight").sizes(); sizes != needed) {
    why = fmt::format("shape {}, but this task needs {}; its head starts anew", shape_text(sizes), shape_text(needed));
  } else if (!adoption.rest().count(bias)) {
    why = fmt::format("there is no {}; its head starts anew", bias);
  } else {
    adoption.plan(weight, own.at("weight"));
    adoption.plan(bias, own.at("bias"));
    return {};
  }
  adoption.leave_out(weight);
  adoption.leave_out(bias);
  return {fmt::format("{} left out: {}", weight, why)};
}

// Whether the tensor's layer stands behind the layers that are published, as the architecture says.
bool is_new(const std::string& tensor, const nlohmann::json& arch) {
  const auto layers = arch.find("new");
  return layers != arch.end() && layers->is_array() &&
         std::find(layers->begin(), layers->end(), tensor.substr(0, tensor.rfind('.'))) != layers->end();
}

// What is left over may be the head, under a name that the architecture doesn't say.
std::string about_left_over(const NamedTensors& rest, const NamedTensors& own) {
  const std::string first = rest.begin()->first, suffix = ".bias";
  const size_t end = first.size() - std::min(first.size(), suffix.size());
  const std::string layer = first.substr(0, end);
  if (first.substr(end) == suffix && rest.count(layer + ".weight")) {
    return fmt::format("; if it is the last layer, say so in the architecture: \"head\": \"{}\"", layer);
  }
  return nearest_name(first, own);
}

}  // namespace

std::vector<std::string> adopt_weights(Model& model, StateDict from, const std::string& name) {
  const NamedTensors weights = model.network().parameters(), buffers = model.network().buffers();
  Adoption adoption(std::move(from.tensors), name);
  std::vector<std::string> anew;
  for (const auto& [tensor, to] : weights) {
    if (is_new(tensor, model.file.arch) && !adoption.rest().count(tensor))
      anew.push_back(tensor);
    else
      adoption.plan(tensor, to);
  }
  const std::string mean = ".running_mean";
  for (const auto& [tensor, to] : buffers) {
    adoption.plan(tensor, to);
    const size_t end = tensor.size() - std::min(tensor.size(), mean.size());
    if (tensor.substr(end) == mean) adoption.leave_out(tensor.substr(0, end) + ".num_batches_tracked");
  }
  std::vector<std::string> notices = std::move(from.notices);
  if (!anew.empty()) notices.push_back(fmt::format("has no {}: these start anew", listing(anew, 8)));
  const std::string published = model.file.arch.value("head", "head");
  for (const std::string& head : {published, std::string("head")}) {
    for (const auto& line : adopt_head(model, head, adoption)) notices.push_back(line);
  }
  if (!adoption.rest().empty()) {
    throw Error(name, fmt::format("{}: the architecture has no such tensor{}", adoption.rest().begin()->first,
                                  about_left_over(adoption.rest(), weights)));
  }
  for (const auto& line : adoption.notices()) notices.push_back(line);
  adoption.carry_out();
  return notices;
}

}  // namespace mas
