#include "mas/io/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mas/error.h"
#include "mas/io/bytes.h"
#include "mas/json.h"
#include "mas/text.h"

// github.com/huggingface/safetensors, README.md, "Format".
namespace mas {
namespace {

using nlohmann::json;

constexpr size_t kPrefix = 8;

const std::map<std::string, at::ScalarType>& types() {
  static const std::map<std::string, at::ScalarType> known{
      {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}, {"I64", at::kLong},
      {"I32", at::kInt},    {"I16", at::kShort}, {"I8", at::kChar},  {"U8", at::kByte},       {"BOOL", at::kBool}};
  return known;
}

struct Entry {
  std::string name;
  at::ScalarType type;
  std::vector<int64_t> shape;
  uint64_t begin, end;
};

std::vector<uint64_t> read_numbers(const json& object, const char* key, const std::string& where) {
  const auto it = object.find(key);
  const bool numbers = it != object.end() && it->is_array() &&
                       std::all_of(it->begin(), it->end(), [](const json& v) { return v.is_number_unsigned(); });
  if (!numbers) throw Error(where, fmt::format("damaged: no \"{}\"", key));
  return it->get<std::vector<uint64_t>>();
}

Entry read_entry(const std::string& tensor, const json& object, const std::string& name) {
  const std::string where = name + ": " + printable(tensor);
  if (!object.is_object() || !object.contains("dtype") || !object["dtype"].is_string()) {
    throw Error(where, "damaged: no \"dtype\"");
  }
  const auto type = types().find(object["dtype"].get<std::string>());
  if (type == types().end()) {
    throw Error(where, fmt::format("type {}, which isn't read", printable(object["dtype"].get<std::string>())));
  }
  const auto shape = read_numbers(object, "shape", where), offsets = read_numbers(object, "data_offsets", where);
  if (offsets.size() != 2 || offsets[0] > offsets[1]) throw Error(where, "damaged: wrong \"data_offsets\"");
  uint64_t bytes = c10::elementSize(type->second);
  for (const uint64_t size : shape) {
    if (__builtin_mul_overflow(bytes, std::max<uint64_t>(size, 1), &bytes) || bytes > INT64_MAX) {
      throw Error(where, "damaged: an impossible shape");
    }
  }
  if (std::count(shape.begin(), shape.end(), 0)) bytes = 0;
  if (bytes != offsets[1] - offsets[0]) {
    throw Error(where, fmt::format("damaged: {} bytes for a tensor of {}", offsets[1] - offsets[0], bytes));
  }
  return {tensor, type->second, {shape.begin(), shape.end()}, offsets[0], offsets[1]};
}

}  // namespace

bool is_safetensors(std::string_view bytes) {
  return bytes.size() > kPrefix && bytes[kPrefix] == '{' && little_endian(bytes, 0, kPrefix) <= bytes.size() * 2;
}

StateDict parse_safetensors(std::string_view bytes, const std::string& name) {
  const uint64_t length = bytes.size() < kPrefix ? UINT64_MAX : little_endian(bytes, 0, kPrefix);
  if (length > bytes.size() - kPrefix) throw Error(name, "cut short: its safetensors header is longer than the file");
  constexpr int kDeepest = 3;  // {"name": {"shape": [...]}}
  const json header = parse_json(std::string(bytes.substr(kPrefix, length)), kDeepest, name + ": safetensors header");
  const std::string_view data = bytes.substr(kPrefix + length);
  if (!header.is_object()) throw Error(name, "damaged safetensors header: not an object");
  std::vector<Entry> entries;
  for (const auto& [tensor, object] : header.items()) {
    if (tensor != "__metadata__") entries.push_back(read_entry(tensor, object, name));
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  StateDict result;
  uint64_t at = 0;
  for (const Entry& entry : entries) {
    const std::string where = name + ": " + printable(entry.name);
    if (entry.begin != at) throw Error(where, "damaged: a gap or an overlap before its bytes");
    if (entry.end > data.size()) throw Error(where, "cut short: the file ends before its last byte");
    result.tensors[entry.name] =
        tensor_of(data.substr(entry.begin, entry.end - entry.begin), entry.type).view(entry.shape);
    at = entry.end;
  }
  if (at != data.size()) throw Error(name, fmt::format("damaged: {} bytes after the last tensor", data.size() - at));
  return result;
}

}  // namespace mas
