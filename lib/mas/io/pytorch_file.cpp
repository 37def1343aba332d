#include "mas/io/pytorch_file.h"

#include "mas/io/bytes.h"

namespace mas {
namespace {

constexpr std::string_view kZip = "PK\x03\x04";
constexpr std::string_view kScript = "torch.jit.script(net).save(\"net.pt\")";

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool is_pickle(std::string_view bytes) {
  return bytes.size() > 1 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5;
}

// Protobuf: field 1 is ir_version, a small number; then producer_name, a short text, or the graph.
bool is_onnx(std::string_view bytes) {
  if (bytes.size() < 16 || bytes[0] != 8 || bytes[1] < 1 || bytes[1] > 32) return false;
  return bytes[2] == 0x12 || (bytes[2] == 0x3a && contains(bytes, "onnx"));
}

// PKWARE APPNOTE 6.3.10, 4.3.7; empty where the archive is cut before it.
std::string_view first_member(std::string_view zip) {
  constexpr size_t kLength = 26, kName = 30;
  return zip.size() < kName ? std::string_view{} : zip.substr(kName, little_endian(zip, kLength, 2));
}

// The pickle of a zip archive's first part; empty where that is none.
std::string_view zipped_pickle(std::string_view zip) {
  const size_t entry = zip.substr(0, 512).find("/data.pkl");
  if (entry == std::string_view::npos) return {};
  const size_t pickle = zip.find("\x80\x02", entry);  // behind the padding that aligns it
  return pickle == std::string_view::npos ? std::string_view{} : zip.substr(pickle);
}

// "torch.nn.modules.linear.Linear" where a pickle begins with the class of an object.
std::string pickled_class(std::string_view pickle) {
  const size_t from = pickle.find("c");
  const size_t middle = pickle.find('\n', from), end = pickle.find('\n', middle + 1);
  if (from > 16 || end == std::string_view::npos || end - from > 200) return "";
  std::string name(pickle.substr(from + 1, end - from - 1));
  name[middle - from - 1] = '.';
  for (const char c : name) {
    if (c <= ' ' || c > '~') return "";
  }
  return name;
}

std::string explain_pickle(std::string_view pickle) {
  const std::string name = pickled_class(pickle);
  const bool dictionary = name == "collections.OrderedDict" || (name.empty() && contains(pickle.substr(0, 16), "}"));
  if (dictionary) {
    return "a PyTorch file of weights without their network (torch.save of a state dict); load them into the network "
           "in Python, then " +
           std::string(kScript);
  }
  return "a PyTorch file that only Python can read (torch.save of " + (name.empty() ? "an object" : name) +
         "); load it in Python, then " + std::string(kScript);
}

}  // namespace

bool is_zip(std::string_view head) { return starts_with(head, kZip); }

bool is_torchscript(std::string_view bytes) { return is_zip(bytes) && contains(bytes, "/constants.pkl"); }

bool begins_torchscript(std::string_view head) {
  if (!is_zip(head)) return false;
  // Tensors come before the pickle that names the class, which may lie far behind; torch.save writes them after it.
  return ends_with(first_member(head), "/data/0") || starts_with(pickled_class(zipped_pickle(head)), "__torch__.");
}

std::string explain_pytorch_file(std::string_view bytes) {
  if (begins_torchscript(bytes)) return "a TorchScript module that is cut short";
  if (is_zip(bytes)) {
    const auto pickle = zipped_pickle(bytes);
    return pickle.empty() ? "a zip archive, not what torch.jit.save writes" : explain_pickle(pickle);
  }
  if (is_pickle(bytes)) {
    // Before PyTorch 1.6: a magic number and two more pickles precede the object.
    const size_t legacy = bytes.substr(0, 512).find("\x80\x02", bytes.substr(0, 512).find("type_sizes"));
    return explain_pickle(legacy == std::string_view::npos ? bytes : bytes.substr(legacy));
  }
  if (is_onnx(bytes)) {
    return "an ONNX model, which isn't read; save the network that it was made from with " + std::string(kScript);
  }
  return "";
}

}  // namespace mas
