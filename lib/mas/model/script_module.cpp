#include "mas/model/script_module.h"

#include <c10/core/CPUAllocator.h>
#include <fmt/format.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <mutex>
#include <sstream>
#include <unordered_map>

#include "mas/io/pytorch_file.h"
#include "mas/io/rehearsal.h"

namespace mas {
namespace {

using c10::TypeKind;
using torch::jit::Module;

constexpr const char* kWrap = "wrap it in a module whose forward takes the sample and returns the outputs";

// Stands in front of LibTorch's allocator while a module is read, and remembers how large each block is.
class Blocks : public at::Allocator {
 public:
  Blocks() : allocator_(c10::GetCPUAllocator()) {}
  at::DataPtr allocate(size_t bytes) const override {
    at::DataPtr block = allocator_->allocate(bytes);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (recording_) sizes_[block.get()] = bytes;
    return block;
  }
  at::DeleterFnPtr raw_deleter() const override { return allocator_->raw_deleter(); }

  void start() {
    const std::lock_guard<std::mutex> lock(mutex_);
    recording_ = true;
    c10::SetCPUAllocator(this);
  }
  void stop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    recording_ = false;
    sizes_.clear();
    c10::SetCPUAllocator(allocator_);
  }
  bool holds(const void* block, size_t bytes) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = sizes_.find(block);
    return found != sizes_.end() && found->second >= bytes;
  }

  /// Never destroyed: a tensor may ask its allocator for more at any time.
  static Blocks& instance() {
    static auto* blocks = new Blocks;
    return *blocks;
  }

 private:
  at::Allocator* allocator_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<const void*, size_t> sizes_;
  bool recording_ = false;
};

// LibTorch believes what a module says of its tensors: the bytes that were read may be fewer, or a view leave them.
bool is_whole(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.has_storage()) return true;
  const auto& storage = tensor.storage();
  if (storage.nbytes() > 0 && !Blocks::instance().holds(storage.data(), storage.nbytes())) return false;
  // The end of the view; products of damaged sizes needn't fit into 64 bits.
  double end = static_cast<double>(tensor.storage_offset()) + 1;
  bool sound = tensor.storage_offset() >= 0, empty = false;
  for (int64_t i = 0; i < tensor.dim(); i++) {
    const int64_t size = tensor.sizes()[i], stride = tensor.strides()[i];
    sound = sound && size >= 0 && stride >= 0;
    empty = empty || size == 0;
    end += static_cast<double>(size - 1) * static_cast<double>(stride);
  }
  const auto bytes = static_cast<double>(storage.nbytes());
  return sound && (empty || end * static_cast<double>(tensor.element_size()) <= bytes);
}

void visit_constants(const torch::jit::Block& block, const std::function<void(const at::Tensor&)>& see) {
  for (const auto* node : block.nodes()) {
    if (node->kind() == c10::prim::Constant && node->hasAttribute(c10::attr::value) &&
        node->kindOf(c10::attr::value) == torch::jit::AttributeKind::t) {
      see(node->t(c10::attr::value));
    }
    for (const auto* inner : node->blocks()) visit_constants(*inner, see);
  }
}

void check_tensors(const Module& module, const std::string& name) {
  bool whole = true;
  c10::IValue(module._ivalue()).visit([&](const c10::IValue& value) {
    if (value.isTensor()) whole = whole && is_whole(value.toTensor());
    return !whole;
  });
  for (auto* function : module._ivalue()->compilation_unit()->get_functions()) {
    if (!function->isGraphFunction()) continue;
    function->ensure_defined();
    visit_constants(*torch::jit::toGraphFunction(*function).graph()->block(),
                    [&](const at::Tensor& value) { whole = whole && is_whole(value); });
  }
  if (!whole) throw Error(name, "damaged: a tensor reaches beyond the bytes that are there");
}

Module load(const std::string& bytes, const std::string& name) {
  return in_one_line(name + ": LibTorch can't load it", [&] {
    struct Recording {
      Recording() { Blocks::instance().start(); }
      ~Recording() { Blocks::instance().stop(); }
    } recording;
    std::istringstream in(bytes);
    Module module = torch::jit::load(in, c10::kCPU);
    check_tensors(module, name);
    return module;
  });
}

std::string kind_of(const c10::TypePtr& type) {
  switch (type->kind()) {
    case TypeKind::TupleType:
      return "a tuple";
    case TypeKind::DictType:
      return "a dictionary";
    case TypeKind::ListType:
      return "a list";
    case TypeKind::NoneType:
      return "nothing";
    default:
      return type->annotation_str();
  }
}

// Any and Union may be a tensor all the same; what they are shows when the module runs.
bool may_be_tensor(const c10::TypePtr& type) {
  const auto kind = type->kind();
  return kind == TypeKind::TensorType || kind == TypeKind::AnyType || kind == TypeKind::UnionType ||
         kind == TypeKind::OptionalType;
}

// What choose() looks into.
bool may_hold_tensor(const c10::TypePtr& type) {
  const auto kind = type->kind();
  if (kind == TypeKind::DictType) return may_hold_tensor(type->containedType(1));
  if (kind != TypeKind::TupleType && kind != TypeKind::ListType) return may_be_tensor(type);
  const auto parts = type->containedTypes();
  return std::any_of(parts.begin(), parts.end(), may_hold_tensor);
}

void check_forward(const Module& module, const std::string& name) {
  const auto forward = module.find_method("forward");
  if (!forward) throw Error(name, "has no forward method");
  const auto& schema = forward->function().getSchema();
  std::vector<std::string> inputs;
  for (size_t i = 1; i < schema.arguments().size(); i++) {
    if (!schema.arguments()[i].default_value()) inputs.push_back(schema.arguments()[i].name());
  }
  if (inputs.size() != 1) {
    throw Error(name, fmt::format("its forward needs {} inputs ({}), expected one; {}", inputs.size(),
                                  fmt::join(inputs, ", "), kWrap));
  }
  const auto& input = schema.arguments()[1];
  if (!may_be_tensor(input.type())) {
    throw Error(name, fmt::format("its forward takes {} ({}), expected a tensor; {}", kind_of(input.type()),
                                  input.name(), kWrap));
  }
  const auto& returns = schema.returns();
  if (returns.size() == 1 && may_hold_tensor(returns[0].type())) return;
  throw Error(name, fmt::format("its forward returns {}, expected a tensor; {}",
                                returns.empty() ? "nothing" : kind_of(returns[0].type()), kWrap));
}

void check_parameters(const Module& module, const std::string& name) {
  for (const auto& p : module.named_parameters()) {
    const auto type = p.value.scalar_type();
    if (p.value.layout() != at::kStrided) throw Error(name, p.name + " is a sparse tensor, expected a dense one");
    if (type == at::kFloat || type == at::kDouble) continue;
    throw Error(name, fmt::format("{} is {}, expected float32 or float64; save the module after net.float()", p.name,
                                  c10::toString(type)));
  }
  if (module.named_parameters().size() > 0) return;
  bool frozen = false;  // more than numbers are among the constants
  visit_constants(*module.get_method("forward").graph()->block(),
                  [&](const at::Tensor& value) { frozen = frozen || value.numel() > 1; });
  throw Error(name, frozen ? "its parameters are constants, as torch.jit.freeze makes them; save the module unfrozen"
                           : "has no parameters; save the network's module, not a function");
}

// Of "RuntimeError: ", "torch.jit.Error: " or "builtins.ValueError: ", which come before a cause.
size_t length_of_kind(const std::string& line) {
  const size_t colon = line.find(": ");
  if (colon == std::string::npos || line.find(' ') != colon + 1) return 0;
  for (const std::string ending : {"Error", "Exception"}) {
    if (colon >= ending.size() && line.compare(colon - ending.size(), ending.size(), ending) == 0) return colon + 2;
  }
  return 0;
}

}  // namespace

std::string one_line(const std::exception& error) {
  const auto* c10_error = dynamic_cast<const c10::Error*>(&error);
  std::istringstream text(c10_error ? c10_error->what_without_backtrace() : error.what());
  std::string first, last;
  for (std::string line; std::getline(text, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (first.empty()) first = line;
    if (const size_t kind = length_of_kind(line)) last = line.substr(kind);
  }
  while (const size_t kind = length_of_kind(last)) last = last.substr(kind);
  return last.empty() ? first : last;
}

Module load_script(const std::string& bytes, const std::string& name) {
  if (!is_torchscript(bytes)) {
    const std::string other = explain_pytorch_file(bytes);
    throw Error(
        name, other.empty() ? "not a TorchScript module, as torch.jit.script(net).save(\"net.pt\") writes one" : other);
  }
  const auto open = [&] {
    Module module = load(bytes, name);
    check_forward(module, name);
    check_parameters(module, name);
    return module;
  };
  rehearse(
      name, [&] { open(); }, RehearsalLimits::for_size(static_cast<int64_t>(bytes.size())));
  return open();
}

}  // namespace mas
