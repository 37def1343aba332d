#include "mas/io/model_check.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <cstring>

#include "mas/error.h"
#include "mas/text.h"

namespace mas {
namespace {

// Additions of the bits that carry into the highest one, so that the compiler turns it into vector code whatever the
// floating-point flags are and even where vectors have no comparison of 64-bit numbers.
template <typename Float, typename Bits>
void scan(const at::Tensor& tensor, Bits exponent, bool& finite, bool& negative) {
  const auto* values = tensor.data_ptr<Float>();
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
  const Bits lowest = exponent & (~exponent + 1);
  constexpr int64_t kGrain = 1 << 20;  // numbers worth waking a thread for
  std::atomic<Bits> all_infinite{0}, all_below{0};
  at::parallel_for(0, tensor.numel(), kGrain, [&](int64_t begin, int64_t end) {
    Bits infinite = 0, below = 0;
    for (int64_t i = begin; i < end; ++i) {
      Bits bits;
      std::memcpy(&bits, values + i, sizeof bits);
      infinite |= (bits & exponent) + lowest;
      below |= bits & ((bits & ~kSign) + ~kSign);  // -0.0 is not negative
    }
    all_infinite |= infinite;
    all_below |= below;
  });
  finite = (all_infinite & kSign) == 0;
  negative = (all_below & kSign) != 0;
}

void check_values(const at::Tensor& original, bool may_be_negative, const std::string& subject,
                  const std::string& name) {
  if (!original.defined()) throw Error(name, subject + ": no tensor");
  if (!at::isFloatingType(original.scalar_type())) return;
  const at::Tensor tensor = original.detach().cpu().contiguous();
  bool finite = true, negative = false;
  if (tensor.scalar_type() == at::kFloat) {
    scan<float, uint32_t>(tensor, 0x7f800000u, finite, negative);
  } else if (tensor.scalar_type() == at::kDouble) {
    scan<double, uint64_t>(tensor, 0x7ff0000000000000u, finite, negative);
  } else {
    throw Error(name, subject + ": " + type_text(tensor.scalar_type()) + ", expected float32 or float64");
  }
  if (!finite) throw Error(name, subject + ": holds NaN or infinity");
  if (negative && !may_be_negative) throw Error(name, subject + ": negative importance");
}

void check_utf8(const std::string& key, const std::string& path, const std::string& name) {
  if (!is_utf8(key)) throw Error(name, path + key + ": a name that is not UTF-8");
}

void check_tensors(const NamedTensors& tensors, const std::string& path, const std::string& name) {
  for (const auto& [key, tensor] : tensors) {
    check_utf8(key, path, name);
    check_values(tensor, true, path + key, name);
  }
}

void check_by_task(const std::map<std::string, NamedTensors>& by_task, const std::string& path,
                   const std::string& name) {
  for (const auto& [task, tensors] : by_task) {
    check_utf8(task, path, name);
    check_tensors(tensors, path + task + "/", name);
  }
}

// An anchor may be negative, Ω may not.
void check_omega(const NamedTensors& omega, const NamedTensors& weights, const std::string& path,
                 const std::string& name, bool may_be_negative = false) {
  for (const auto& [key, tensor] : omega) {
    if (!tensor.defined()) throw Error(name, path + key + ": no tensor");
    const auto weight = weights.find(key);
    if (weight == weights.end()) {
      throw Error(name, path + key + ": importance of other parameters; there is no /weights/" + key);
    }
    if (weight->second.sizes() != tensor.sizes()) {
      throw Error(name, path + key + ": importance of other parameters: shape " + shape_text(tensor.sizes()) +
                            ", but /weights/" + key + " has " + shape_text(weight->second.sizes()));
    }
    check_values(tensor, may_be_negative, path + key, name);
  }
}

}  // namespace

bool may_be_name(const std::string& text) {
  return !text.empty() && text != "." && text.find('/') == std::string::npos && text.find('\0') == std::string::npos &&
         is_utf8(text);
}

void check_model(const ModelFile& model, const std::string& name) {
  if (model.weights.empty()) throw Error(name, "no weights");
  check_tensors(model.weights, "/weights/", name);
  for (const auto& [key, tensor] : model.weights) {
    if (!at::isFloatingType(tensor.scalar_type())) {
      throw Error(name, "/weights/" + key + ": " + type_text(tensor.scalar_type()) + ", expected float32 or float64");
    }
  }
  check_tensors(model.buffers, "/buffers/", name);
  check_by_task(model.heads, "/heads/", name);
  check_by_task(model.encoders, "/encoders/", name);
  check_tensors(model.optimizer, "/optimizer/", name);
  const ImportanceRecord& importance = model.importance;
  check_omega(importance.closed, model.weights, "/importance/closed/", name);
  check_omega(importance.anchor, model.weights, "/importance/anchor/", name, true);
  check_omega(importance.sum, model.weights, "/importance/sum/", name);
  if (importance.count < 0 || importance.tasks < 0 || importance.closed_tasks < 0) {
    throw Error(name, "/importance: a negative count");
  }
  if (!importance.sum.empty() && importance.count == 0) throw Error(name, "/importance/sum: no count of samples");
  if (!importance.closed.empty() && importance.closed_tasks == 0) {
    throw Error(name, "/importance/closed: no count of tasks (closed_tasks)");
  }
  if (!importance.empty() && importance.method.empty()) throw Error(name, "/importance: no method");
  if (!model.tasks.is_array()) throw Error(name, "/tasks: not a JSON array");
  if (importance.tasks > static_cast<int64_t>(model.tasks.size())) {
    throw Error(name, "/importance: of task " + std::to_string(importance.tasks) + ", but /tasks has " +
                          std::to_string(model.tasks.size()));
  }
  if (!model.results.is_array()) throw Error(name, "/results: not a JSON array");
}

}  // namespace mas
