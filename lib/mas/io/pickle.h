#pragma once
#include <ATen/core/ATen_fwd.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mas {

/// A value of a pickle. Storages and tensors are descriptions; whoever has the bytes makes them tensors.
struct PickleValue {
  enum class Kind { kNone, kBool, kInteger, kFloat, kText, kBytes, kTuple, kList, kDict, kGlobal, kStorage, kTensor };
  Kind kind = Kind::kNone;
  int64_t integer = 0;              ///< or bool; of a storage: its elements; of a tensor: its offset in the storage
  std::string text;                 ///< of text and bytes; of a global: "module.name"; of a storage: its key
  std::vector<PickleValue*> items;  ///< of tuple and list; of dict: key, value, ...; of a tensor: its storage
  std::vector<int64_t> sizes;       ///< of a tensor; of a storage: where what is seen of it begins, and its elements
  std::vector<int64_t> strides;     ///< of a tensor, in elements
  at::ScalarType type = at::ScalarType::Undefined;  ///< of a storage
  bool is(Kind other) const { return kind == other; }
};

/// Reads pickles of protocol 2 to 5 as torch.save writes them: numbers, text, tuples, lists, dicts (also
/// collections.OrderedDict), and PyTorch's storages and tensors. Nothing is executed: any other class or function is an
/// Error that names it. Values are as many as the bytes allow and no more; nothing recurses.
class PickleReader {
 public:
  /// The bytes must outlive it; `name` is for messages.
  PickleReader(std::string_view bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  /// The pickle that begins at position(); its values live as long as the reader. Throws Error.
  const PickleValue& read();
  size_t position() const { return at_; }
  /// Those met so far.
  const std::vector<const PickleValue*>& storages() const { return storages_; }

 private:
  using Value = PickleValue;
  using Kind = PickleValue::Kind;

  // Each returns whether the opcode is one of its own.
  bool step(unsigned char opcode);
  bool step_number(unsigned char opcode);
  bool step_text(unsigned char opcode);
  bool step_container(unsigned char opcode);
  bool step_memo(unsigned char opcode);
  bool step_object(unsigned char opcode);

  Value& push(Kind kind);
  Value& pop();
  Value& top(Kind kind);
  std::vector<Value*> pop_last(size_t count);
  std::vector<Value*> pop_to_mark();
  void push_tuple(std::vector<Value*> items);
  void append(std::vector<Value*> items, Kind kind);
  void remember(uint64_t index);
  void recall(uint64_t index);
  void push_global(const std::string& module, const std::string& name);
  void push_storage(const Value& id);
  void call(const Value& function, const Value& arguments);
  void push_dict(const Value& arguments);
  void push_tensor(const Value& arguments);

  uint64_t number(size_t bytes);
  std::string_view take(uint64_t count);
  std::string line();
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  [[noreturn]] void damaged(const std::string& cause) const;

  std::string_view bytes_;
  std::string name_;
  size_t at_ = 0;
  std::deque<Value> values_;
  std::vector<const Value*> storages_;
  std::vector<Value*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, Value*> memo_;
};

}  // namespace mas
