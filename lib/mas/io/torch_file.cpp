#include "mas/io/torch_file.h"

#include <fmt/format.h>

#include <functional>

#include "mas/error.h"
#include "mas/io/bytes.h"
#include "mas/io/pickle.h"
#include "mas/io/zip.h"
#include "mas/text.h"

namespace mas {
namespace {

using Kind = PickleValue::Kind;

// The bytes of a storage.
using FindStorage = std::function<std::string_view(const PickleValue& storage)>;

// Tensors of the pickle's tensors; each storage is copied once, so that tensors that share it go on sharing.
class Loader {
 public:
  Loader(FindStorage find, std::string name) : find_(std::move(find)), name_(std::move(name)) {}

  at::Tensor tensor(const PickleValue& value) {
    return storage(*value.items[0]).as_strided(value.sizes, value.strides, value.integer);
  }

 private:
  const at::Tensor& storage(const PickleValue& value) {
    at::Tensor& loaded = storages_[value.text];
    if (!loaded.defined()) {
      const std::string_view bytes = find_(value);
      if (value.integer != static_cast<int64_t>(bytes.size() / c10::elementSize(value.type)) ||
          bytes.size() % c10::elementSize(value.type) != 0) {
        throw Error(name_, fmt::format("damaged: storage {} has {} bytes for {} values of {}", printable(value.text),
                                       bytes.size(), value.integer, type_text(value.type)));
      }
      loaded = tensor_of(bytes, value.type);
    }
    if (loaded.scalar_type() != value.type || loaded.numel() != value.integer) {
      throw Error(name_, fmt::format("damaged: storage {} is of two kinds", printable(value.text)));
    }
    return loaded;
  }

  FindStorage find_;
  std::string name_;
  std::map<std::string, at::Tensor> storages_;
};

// A checkpoint holds more than weights; these are its usual names for them.
const PickleValue* wrapped(const PickleValue& dict, std::string& key) {
  for (const char* usual : {"state_dict", "model_state_dict", "model"}) {
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      if (dict.items[i]->is(Kind::kText) && dict.items[i]->text == usual && dict.items[i + 1]->is(Kind::kDict)) {
        key = usual;
        return dict.items[i + 1];
      }
    }
  }
  return nullptr;
}

StateDict to_state_dict(const PickleValue& root, Loader loader, const std::string& name) {
  const std::string advice = "; save weights with torch.save(model.state_dict(), ...)";
  if (!root.is(Kind::kDict)) throw Error(name, "holds something else than a dict of tensors" + advice);
  StateDict result;
  std::string key;
  const PickleValue* dict = wrapped(root, key);
  if (dict) result.notices.push_back(fmt::format("weights taken from its entry \"{}\"", key));
  if (!dict) dict = &root;
  for (size_t i = 0; i + 1 < dict->items.size(); i += 2) {
    const PickleValue &entry = *dict->items[i], &value = *dict->items[i + 1];
    if (!entry.is(Kind::kText)) throw Error(name, "a dict whose keys aren't names" + advice);
    if (!value.is(Kind::kTensor)) throw Error(name, printable(entry.text) + " isn't a tensor" + advice);
    result.tensors[entry.text] = loader.tensor(value);
  }
  return result;
}

void need_little_endian(bool little, const std::string& name) {
  if (!little) throw Error(name, "was written on a big-endian machine, which isn't read");
}

// 0x1950a86a20f9469cfc6c, torch/serialization.py's magic number, as a pickle of its own.
constexpr std::string_view kMagic("\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15);

void check_system(const PickleValue& system, const std::string& name) {
  for (size_t i = 0; i + 1 < system.items.size(); i += 2) {
    if (system.items[i]->text == "little_endian") need_little_endian(system.items[i + 1]->integer == 1, name);
  }
}

// Behind the pickles: for each key the number of elements, in eight bytes, and the elements. How large they are, only
// the pickle says.
std::map<std::string, std::string_view> split_storages(std::string_view bytes, const PickleValue& keys,
                                                       const std::vector<const PickleValue*>& used,
                                                       const std::string& name) {
  std::map<std::string, size_t> element_sizes;
  for (const PickleValue* storage : used) element_sizes[storage->text] = c10::elementSize(storage->type);
  std::map<std::string, std::string_view> storages;
  for (const PickleValue* key : keys.items) {
    const auto size = element_sizes.find(key->text);
    if (size == element_sizes.end()) throw Error(name, "damaged: a storage that no tensor uses");
    constexpr size_t kCount = 8;
    const size_t room = bytes.size() < kCount ? 0 : (bytes.size() - kCount) / size->second;
    const uint64_t elements = bytes.size() < kCount ? UINT64_MAX : little_endian(bytes, 0, kCount);
    if (elements > room) throw Error(name, "cut short: its storages end early");
    storages[key->text] = bytes.substr(kCount, elements * size->second);
    bytes.remove_prefix(kCount + elements * size->second);
  }
  return storages;
}

}  // namespace

bool is_torch_legacy(std::string_view bytes) { return starts_with(bytes, kMagic); }

StateDict parse_torch_zip(std::string_view bytes, const std::string& name) {
  const ZipArchive zip(bytes, name);
  if (!zip.find_ending("/constants.pkl").empty()) {
    throw Error(name,
                "a TorchScript module, not weights; in Python: torch.save(torch.jit.load(...).state_dict(), ...)");
  }
  if (!zip.find_ending(".npy").empty()) {
    throw Error(name, "a NumPy archive, not weights; write them with safetensors, or torch.save a dict of tensors");
  }
  const std::string pickle = zip.find_ending("data.pkl");
  if (pickle.empty()) throw Error(name, "a zip archive, but not one that torch.save wrote");
  const std::string folder = pickle.substr(0, pickle.size() - std::string_view("data.pkl").size());
  if (zip.contains(folder + "byteorder")) need_little_endian(zip.content(folder + "byteorder") == "little", name);
  PickleReader reader(zip.content(pickle), name);
  const auto find = [&](const PickleValue& storage) { return zip.content(folder + "data/" + storage.text); };
  return to_state_dict(reader.read(), Loader(find, name), name);
}

StateDict parse_torch_legacy(std::string_view bytes, const std::string& name) {
  PickleReader reader(bytes, name);
  reader.read();  // the magic number
  reader.read();  // the version of the format, 1001 since 2016
  check_system(reader.read(), name);
  const PickleValue &root = reader.read(), &keys = reader.read();
  const auto storages = split_storages(bytes.substr(reader.position()), keys, reader.storages(), name);
  const auto find = [&](const PickleValue& storage) {
    const auto it = storages.find(storage.text);
    if (it == storages.end()) throw Error(name, "damaged: storage " + printable(storage.text) + " is missing");
    return it->second;
  };
  return to_state_dict(root, Loader(find, name), name);
}

}  // namespace mas
