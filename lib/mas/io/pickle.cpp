#include "mas/io/pickle.h"

#include <algorithm>
#include <map>

#include "mas/error.h"
#include "mas/io/bytes.h"
#include "mas/text.h"

// The opcodes are those of CPython's Lib/pickletools.py; what torch.save makes of them is in torch/serialization.py and
// torch/_utils.py.
namespace mas {
namespace {

constexpr size_t kMostValues = size_t{1} << 22;  // weights have some for each tensor, not for each number
constexpr size_t kMostDimensions = 64;           // LibTorch's

const std::map<std::string, at::ScalarType>& storage_types() {
  static const std::map<std::string, at::ScalarType> types{
      {"torch.FloatStorage", at::kFloat},       {"torch.DoubleStorage", at::kDouble}, {"torch.HalfStorage", at::kHalf},
      {"torch.BFloat16Storage", at::kBFloat16}, {"torch.LongStorage", at::kLong},     {"torch.IntStorage", at::kInt},
      {"torch.ShortStorage", at::kShort},       {"torch.CharStorage", at::kChar},     {"torch.ByteStorage", at::kByte},
      {"torch.BoolStorage", at::kBool}};
  return types;
}

constexpr const char* kOrderedDict = "collections.OrderedDict";
constexpr const char* kTensor = "torch._utils._rebuild_tensor_v2";
constexpr const char* kParameter = "torch._utils._rebuild_parameter";

bool is_known(const std::string& global) {
  return global == kOrderedDict || global == kTensor || global == kParameter || storage_types().count(global) > 0;
}

// Whether the view reads only elements that its storage has. Sizes may come from anyone.
bool fits(const PickleValue& tensor, int64_t elements) {
  int64_t last = tensor.integer, count = 1;
  for (size_t i = 0; i < tensor.sizes.size(); ++i) {
    const int64_t size = tensor.sizes[i], stride = tensor.strides[i];
    if (size == 0) return tensor.integer <= elements;
    int64_t reach = 0;
    if (__builtin_mul_overflow(count, size, &count) || __builtin_mul_overflow(size - 1, stride, &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      return false;
    }
  }
  return last < elements;
}

}  // namespace

void PickleReader::damaged(const std::string& cause) const { throw Error(name_, "damaged pickle: " + cause); }

std::string_view PickleReader::take(uint64_t count) {
  if (count > bytes_.size() - at_) damaged("it ends early");
  at_ += count;
  return bytes_.substr(at_ - count, count);
}

uint64_t PickleReader::number(size_t bytes) { return little_endian(take(bytes), 0, bytes); }

std::string PickleReader::line() {
  const size_t end = bytes_.find('\n', at_);
  if (end == std::string_view::npos) damaged("it ends early");
  const std::string text(take(end - at_));
  take(1);
  return text;
}

PickleValue& PickleReader::push(Kind kind) {
  if (values_.size() >= kMostValues) throw Error(name_, "a pickle of millions of values, not weights");
  Value& value = values_.emplace_back();
  value.kind = kind;
  stack_.push_back(&value);
  return value;
}

PickleValue& PickleReader::pop() {
  if (stack_.size() <= floor()) damaged("a value is missing");
  Value& value = *stack_.back();
  stack_.pop_back();
  return value;
}

PickleValue& PickleReader::top(Kind kind) {
  if (stack_.size() <= floor() || !stack_.back()->is(kind)) damaged("a value of another kind was expected");
  return *stack_.back();
}

std::vector<PickleValue*> PickleReader::pop_last(size_t count) {
  if (stack_.size() < floor() + count) damaged("a value is missing");
  const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
  std::vector<Value*> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  return items;
}

std::vector<PickleValue*> PickleReader::pop_to_mark() {
  if (marks_.empty()) damaged("a mark is missing");
  std::vector<Value*> items = pop_last(stack_.size() - marks_.back());
  marks_.pop_back();
  return items;
}

void PickleReader::push_tuple(std::vector<Value*> items) { push(Kind::kTuple).items = std::move(items); }

void PickleReader::append(std::vector<Value*> items, Kind kind) {
  if (kind == Kind::kDict && items.size() % 2 != 0) damaged("a key without a value");
  auto& all = top(kind).items;
  all.insert(all.end(), items.begin(), items.end());
}

const PickleValue& PickleReader::read() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  constexpr unsigned char kStop = '.';
  for (;;) {
    const auto opcode = static_cast<unsigned char>(number(1));
    if (opcode == kStop) break;
    if (!step(opcode)) damaged("opcode " + std::to_string(opcode) + ", which torch.save doesn't write");
  }
  if (!marks_.empty()) damaged("a mark is left over");
  return pop();
}

bool PickleReader::step(unsigned char opcode) {
  switch (opcode) {
    case 0x80:  // PROTO
      if (const auto protocol = number(1); protocol < 2 || protocol > 5) damaged("an unknown protocol");
      return true;
    case 0x95:  // FRAME
      number(8);
      return true;
    case '(':  // MARK
      marks_.push_back(stack_.size());
      return true;
    case '0':  // POP
      pop();
      return true;
    case '1':  // POP_MARK
      pop_to_mark();
      return true;
    default:
      return step_number(opcode) || step_text(opcode) || step_container(opcode) || step_memo(opcode) ||
             step_object(opcode);
  }
}

bool PickleReader::step_number(unsigned char opcode) {
  switch (opcode) {
    case 'N':  // NONE
      push(Kind::kNone);
      return true;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      push(Kind::kBool).integer = opcode == 0x88;
      return true;
    case 'J':  // BININT
      push(Kind::kInteger).integer = static_cast<int32_t>(number(4));
      return true;
    case 'K':  // BININT1
    case 'M':  // BININT2
      push(Kind::kInteger).integer = static_cast<int64_t>(number(opcode == 'K' ? 1 : 2));
      return true;
    case 0x8a: {  // LONG1, two's complement; one that needs more than 64 bits is kept as it is
      const std::string_view digits = take(number(1));
      Value& value = push(digits.size() > 8 ? Kind::kBytes : Kind::kInteger);
      if (digits.size() > 8) {
        value.text = digits;
      } else if (!digits.empty()) {
        const size_t unused = 64 - 8 * digits.size();
        value.integer = static_cast<int64_t>(little_endian(digits, 0, digits.size()) << unused) >> unused;
      }
      return true;
    }
    case 'G':  // BINFLOAT; nobody asks for its value
      take(8);
      push(Kind::kFloat);
      return true;
    default:
      return false;
  }
}

bool PickleReader::step_text(unsigned char opcode) {
  switch (opcode) {
    case 'X':  // BINUNICODE
    case 'T':  // BINSTRING, text of Python 2
      push(Kind::kText).text = take(number(4));
      return true;
    case 0x8c:  // SHORT_BINUNICODE
    case 'U':   // SHORT_BINSTRING
      push(Kind::kText).text = take(number(1));
      return true;
    case 0x8d:  // BINUNICODE8
      push(Kind::kText).text = take(number(8));
      return true;
    case 'B':  // BINBYTES
      push(Kind::kBytes).text = take(number(4));
      return true;
    case 'C':  // SHORT_BINBYTES
      push(Kind::kBytes).text = take(number(1));
      return true;
    default:
      return false;
  }
}

bool PickleReader::step_container(unsigned char opcode) {
  switch (opcode) {
    case ')':  // EMPTY_TUPLE
      push_tuple({});
      return true;
    case 0x85:  // TUPLE1
    case 0x86:  // TUPLE2
    case 0x87:  // TUPLE3
      push_tuple(pop_last(opcode - 0x84));
      return true;
    case 't':  // TUPLE
      push_tuple(pop_to_mark());
      return true;
    case ']':  // EMPTY_LIST
      push(Kind::kList);
      return true;
    case 'a':  // APPEND
      append(pop_last(1), Kind::kList);
      return true;
    case 'e':  // APPENDS
      append(pop_to_mark(), Kind::kList);
      return true;
    case '}':  // EMPTY_DICT
      push(Kind::kDict);
      return true;
    case 's':  // SETITEM
      append(pop_last(2), Kind::kDict);
      return true;
    case 'u':  // SETITEMS
      append(pop_to_mark(), Kind::kDict);
      return true;
    default:
      return false;
  }
}

bool PickleReader::step_memo(unsigned char opcode) {
  switch (opcode) {
    case 'q':  // BINPUT
      remember(number(1));
      return true;
    case 'r':  // LONG_BINPUT
      remember(number(4));
      return true;
    case 0x94:  // MEMOIZE
      remember(memo_.size());
      return true;
    case 'h':  // BINGET
      recall(number(1));
      return true;
    case 'j':  // LONG_BINGET
      recall(number(4));
      return true;
    default:
      return false;
  }
}

void PickleReader::remember(uint64_t index) {
  Value& value = pop();
  stack_.push_back(&value);
  memo_[index] = &value;
  if (memo_.size() > kMostValues) damaged("it remembers more values than it has");
}

void PickleReader::recall(uint64_t index) {
  const auto it = memo_.find(index);
  if (it == memo_.end()) damaged("it repeats a value that it doesn't have");
  stack_.push_back(it->second);
}

bool PickleReader::step_object(unsigned char opcode) {
  switch (opcode) {
    case 'c': {  // GLOBAL
      const std::string module = line();
      push_global(module, line());
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const Value &name = pop(), &module = pop();
      if (!name.is(Kind::kText) || !module.is(Kind::kText)) damaged("a class without a name");
      push_global(module.text, name.text);
      return true;
    }
    case 'Q':  // BINPERSID
      push_storage(pop());
      return true;
    case 'R': {  // REDUCE
      const Value &arguments = pop(), &function = pop();
      call(function, arguments);
      return true;
    }
    case 'b':  // BUILD: an OrderedDict's attribute _metadata, the versions of modules
      pop();
      top(Kind::kDict);
      return true;
    default:
      return false;
  }
}

void PickleReader::push_global(const std::string& module, const std::string& name) {
  const std::string global = module + "." + name;
  if (!is_known(global)) {
    throw Error(name_, "holds the Python object " + printable(global) +
                           ", and nothing but weights is read; save those alone: torch.save(model.state_dict(), ...)");
  }
  push(Kind::kGlobal).text = global;
}

// ("storage", class, key, device, elements), in the older format with a sixth: None, or what is seen of the storage as
// (key, offset, elements).
void PickleReader::push_storage(const Value& id) {
  const auto& items = id.items;
  const bool whole = id.is(Kind::kTuple) && items.size() >= 5 && items.size() <= 6 && items[0]->text == "storage" &&
                     items[1]->is(Kind::kGlobal) && storage_types().count(items[1]->text) > 0 &&
                     items[2]->is(Kind::kText) && items[4]->is(Kind::kInteger) && items[4]->integer >= 0;
  if (!whole) damaged("a storage without its kind, key or size");
  Value& storage = push(Kind::kStorage);
  storages_.push_back(&storage);
  storage.text = items[2]->text;
  storage.type = storage_types().at(items[1]->text);
  storage.integer = items[4]->integer;
  storage.sizes = {0, storage.integer};
  if (items.size() < 6 || items[5]->is(Kind::kNone)) return;
  const auto& view = items[5]->items;
  if (view.size() != 3 || !view[1]->is(Kind::kInteger) || !view[2]->is(Kind::kInteger)) damaged("a wrong storage view");
  const int64_t offset = view[1]->integer, elements = view[2]->integer;
  if (offset < 0 || elements < 0 || offset > storage.integer || elements > storage.integer - offset) {
    damaged("a storage view that reaches beyond its storage");
  }
  storage.sizes = {offset, elements};
}

void PickleReader::call(const Value& function, const Value& arguments) {
  if (!function.is(Kind::kGlobal) || !arguments.is(Kind::kTuple)) damaged("a call of what is no function");
  if (function.text == kOrderedDict) return push_dict(arguments);
  if (function.text == kTensor) return push_tensor(arguments);
  const bool parameter = function.text == kParameter && !arguments.items.empty();
  if (!parameter || !arguments.items[0]->is(Kind::kTensor)) damaged("a call with wrong arguments");
  stack_.push_back(arguments.items[0]);
}

// Without arguments, or, from Python 2, with a list of pairs.
void PickleReader::push_dict(const Value& arguments) {
  Value& dict = push(Kind::kDict);
  if (arguments.items.empty()) return;
  for (const Value* pair : arguments.items[0]->items) {
    if (pair->items.size() != 2) damaged("a dict of what are no pairs");
    dict.items.insert(dict.items.end(), pair->items.begin(), pair->items.end());
  }
}

// (storage, offset, sizes, strides, requires_grad, hooks, and perhaps metadata: whether the values are meant negated)
void PickleReader::push_tensor(const Value& arguments) {
  const auto& items = arguments.items;
  if (items.size() < 4 || !items[0]->is(Kind::kStorage) || !items[1]->is(Kind::kInteger)) {
    damaged("a tensor without its storage");
  }
  if (items.size() > 6) {
    for (const Value* flag : items[6]->items) {
      if (flag->is(Kind::kBool) && flag->integer) {
        throw Error(name_, "has a tensor that is another's negative or conjugate; save its copy, tensor.resolve_neg()");
      }
    }
  }
  const auto numbers = [&](const Value& list) {
    std::vector<int64_t> all;
    for (const Value* item : list.items) {
      if (!item->is(Kind::kInteger) || item->integer < 0) damaged("a tensor with an impossible shape");
      all.push_back(item->integer);
    }
    return all;
  };
  Value& tensor = push(Kind::kTensor);
  tensor.items = {items[0]};
  tensor.sizes = numbers(*items[2]);
  tensor.strides = numbers(*items[3]);
  if (tensor.sizes.size() != tensor.strides.size() || tensor.sizes.size() > kMostDimensions) {
    damaged("a tensor with an impossible shape");
  }
  const auto& seen = items[0]->sizes;
  tensor.integer = items[1]->integer;
  if (tensor.integer < 0 || !fits(tensor, seen[1])) damaged("a tensor that reaches beyond its storage");
  tensor.integer += seen[0];
}

}  // namespace mas
