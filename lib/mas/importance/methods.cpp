#include "mas/importance/methods.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "mas/error.h"

namespace mas {
namespace {

using Origin = ImportanceMethod::Origin;

const std::vector<ImportanceMethod>& methods() {
  static const std::vector<ImportanceMethod> all{{"mas", Origin::kSamples, Method::kMas},
                                                 {"local", Origin::kSamples, Method::kLocal},
                                                 {"ewc", Origin::kSamples, Method::kFisher, 0.5, "anchors"},
                                                 {"si", Origin::kTraining},
                                                 {"l2", Origin::kConstant}};
  return all;
}

// Null: there is none.
const ImportanceMethod* find(const std::string& name) {
  const auto it = std::find_if(methods().begin(), methods().end(), [&](const auto& m) { return m.name == name; });
  return it == methods().end() ? nullptr : &*it;
}

// "a, b or c": what mas-importance makes.
std::string made_names() {
  std::vector<std::string> names;
  for (const auto& method : methods()) {
    if (method.origin != Origin::kTraining) names.push_back(method.name);
  }
  return fmt::format("{} or {}", fmt::join(names.begin(), names.end() - 1, ", "), names.back());
}

}  // namespace

bool is_method(const std::string& name) { return find(name) != nullptr; }

const ImportanceMethod& method_called(const std::string& name) {
  static const ImportanceMethod another;
  const auto* method = find(name);
  return method ? *method : another;
}

const ImportanceMethod& parse_method(const std::string& text) {
  const auto* method = find(text);
  if (!method) throw UsageError("--method", fmt::format("must be {}, got {}", made_names(), text));
  if (method->origin == Origin::kTraining)
    throw UsageError("--method", fmt::format("{0} is recorded while a task is trained: mas-train --track {0}", text));
  return *method;
}

}  // namespace mas
