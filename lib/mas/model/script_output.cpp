#include "mas/model/script_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "mas/json.h"
#include "mas/text.h"

namespace mas {
namespace {

struct Part {
  std::vector<std::string> names;  // the first is the one to show
  std::string subscript;
  c10::IValue value;
};

std::vector<Part> parts_of_tuple(const c10::IValue& tuple) {
  std::vector<Part> parts;
  const auto schema = tuple.toTuple()->type()->schema();  // of a named one
  for (const auto& value : tuple.toTupleRef().elements()) {
    const std::string number = std::to_string(parts.size());
    Part part{{number}, "[" + number + "]", value};
    if (schema) part.names.insert(part.names.begin(), schema->arguments()[parts.size()].name());
    parts.push_back(std::move(part));
  }
  return parts;
}

// Of values of other kinds: none.
std::vector<Part> parts_of(const c10::IValue& value) {
  std::vector<Part> parts;
  if (value.isTuple()) return parts_of_tuple(value);
  if (value.isList()) {
    for (const auto& element : value.toListRef()) {
      const std::string number = std::to_string(parts.size());
      parts.push_back({{number}, "[" + number + "]", element});
    }
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      if (entry.key().isString()) {
        const auto& key = entry.key().toStringRef();
        parts.push_back({{key}, "[" + nlohmann::json(key).dump() + "]", entry.value()});
      } else if (entry.key().isInt()) {
        const auto key = std::to_string(entry.key().toInt());
        parts.push_back({{key}, "[" + key + "]", entry.value()});
      }
    }
  }
  return parts;
}

// The part that the path begins with, which it loses.
const Part* find(const std::vector<Part>& parts, std::string& path) {
  for (const std::string ending : {"", "."}) {
    for (const auto& part : parts) {
      for (const auto& name : part.names) {
        if (ending.empty() ? path != name : path.rfind(name + ending, 0) != 0) continue;
        path.erase(0, name.size() + ending.size());
        return &part;
      }
    }
  }
  return nullptr;
}

std::string describe(const c10::IValue& value, size_t parts) {
  if (value.isNone()) return "nothing";
  if (parts == 0) return value.isList() ? "an empty list" : value.type()->annotation_str();
  return fmt::format("a {} of {}", value.isTuple() ? "tuple" : value.isList() ? "list" : "dictionary", parts);
}

// "aux.0, aux.1 or aux.2"
std::string listed(const std::vector<Part>& parts, const std::string& taken) {
  constexpr size_t kListed = 12;
  std::string text;
  for (size_t i = 0; i < std::min(parts.size(), kListed); i++) {
    text += i == 0 ? "" : i + 1 == parts.size() ? " or " : ", ";
    text += (taken.empty() ? "" : taken + ".") + printable(parts[i].names.front());
  }
  return parts.size() > kListed ? text + ", ..." : text;
}

}  // namespace

Choice choose(const c10::IValue& returned, const ScriptOutput& output, const std::string& name) {
  const std::string who = output.features.empty() ? "its forward" : "its layer " + output.features;
  std::string path = output.returned, taken;
  c10::IValue value = returned;
  Choice choice;
  const auto place = [&] { return taken.empty() ? "" : " under " + taken; };
  while (!value.isTensor()) {
    const auto parts = parts_of(value);
    const std::string what = fmt::format("{} returns {}{}", who, describe(value, parts.size()), place());
    if (parts.empty()) throw ChoiceError(name, what + ", expected a tensor");
    const std::string there = listed(parts, taken), wanted = path;
    if (path.empty()) throw ChoiceError(name, fmt::format("{}; --return {} chooses", what, there));
    const Part* part = find(parts, path);
    if (!part) throw ChoiceError("--return", fmt::format("{}: {}, without {}; {} chooses", name, what, wanted, there));
    taken += (taken.empty() ? "" : ".") + part->names.front();
    choice.subscript += part->subscript;
    value = c10::IValue(part->value);
  }
  if (!path.empty()) {
    throw ChoiceError("--return",
                      fmt::format("{}: {} returns a tensor{}, with nothing to choose from", name, who, place()));
  }
  choice.tensor = value.toTensor();
  return choice;
}

}  // namespace mas
