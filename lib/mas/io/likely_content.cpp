#include "mas/io/likely_content.h"

#include <algorithm>
#include <cctype>

#include "mas/io/bytes.h"
#include "mas/text.h"

namespace mas {
namespace {

std::string lower_start(std::string_view bytes) {
  size_t begin = 0;
  while (begin < bytes.size() && std::isspace(static_cast<unsigned char>(bytes[begin]))) ++begin;
  return in_small_letters(std::string(bytes.substr(begin, 64)));
}

}  // namespace

LikelyContent likely_content(std::string_view bytes) {
  const std::string text = lower_start(bytes);
  const auto contains = [&](std::string_view part) { return bytes.find(part) != std::string_view::npos; };
  if (starts_with(bytes, "version https://git-lfs")) return {"a Git LFS pointer", "fetch the file with git lfs pull"};
  if (starts_with(text, "<!doctype html") || starts_with(text, "<html")) {
    return {"an HTML page", "was the download refused?"};
  }
  if (starts_with(bytes, "PK\x03\x04")) {
    if (contains("/constants.pkl")) return {"a TorchScript module", ""};
    if (contains("/data.pkl")) return {"a PyTorch file (torch.save)", ""};
    if (contains(".npy")) return {"a NumPy archive", ""};
    return {"a zip archive", ""};
  }
  if (bytes.size() > 1 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5) return {"a Python pickle", ""};
  if (starts_with(bytes, "\x1f\x8b")) return {"compressed with gzip", "unpack it with gunzip first"};
  if (starts_with(bytes, "\x93NUMPY")) return {"a NumPy array", ""};
  if (starts_with(bytes, "\x89HDF\r\n\x1a\n")) return {"an HDF5 file", ""};
  if (bytes.size() > 9 && bytes[8] == '{' && little_endian(bytes, 0, 8) <= bytes.size()) {
    return {"a safetensors file", ""};
  }
  const std::string_view head = bytes.substr(0, 512);
  const bool printable =
      std::all_of(head.begin(), head.end(), [](unsigned char c) { return c >= 32 || std::isspace(c); });
  return printable && !head.empty() ? LikelyContent{"text", ""} : LikelyContent{};
}

std::string mistake(std::string_view bytes, const std::string& wanted) {
  const LikelyContent likely = likely_content(bytes);
  return (likely.what.empty() ? "" : likely.what + ", ") + "not " + wanted +
         (likely.advice.empty() ? "" : "; " + likely.advice);
}

}  // namespace mas
