#include "mas/io/digest.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>

#include "mas/error.h"
#include "mas/io/bytes.h"
#include "mas/io/likely_content.h"
#include "mas/io/pytorch_file.h"

namespace mas {
namespace {

constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n", 8);
constexpr std::string_view kBlockStart = "mas-model xxh3-128 ";
constexpr size_t kHexDigits = 32;

bool signature_at(std::string_view bytes, size_t offset) {
  return offset <= bytes.size() && starts_with(bytes.substr(offset), kSignature);
}

void refuse_cut(std::string_view bytes, size_t superblock, const std::string& name) {
  constexpr size_t kShortest = 48;  // a superblock of version 2
  if (bytes.size() < superblock + kShortest) throw Error(name, "cut short: the HDF5 file ends within its first bytes");
  const size_t wanted = recorded_end(bytes, superblock);
  if (wanted > bytes.size() && wanted < size_t{1} << 60) {
    throw Error(name, "cut short: " + std::to_string(bytes.size()) + " of " + std::to_string(wanted) + " bytes");
  }
}

}  // namespace

// HDF5 File Format Specification 3.0, II.A.
size_t recorded_end(std::string_view bytes, size_t superblock) {
  const std::string_view block = bytes.substr(std::min(superblock, bytes.size()));
  if (block.size() < 48) return 0;
  const int version = static_cast<unsigned char>(block[8]);
  const bool old = version <= 1;
  if (version > 3 || block[old ? 13 : 9] != 8) return 0;
  const size_t base_at = old ? 24 + 4 * version : 12, end_at = old ? 40 + 4 * version : 28;
  if (block.size() < end_at + 8) return 0;
  const uint64_t base = little_endian(block, base_at, 8), end = little_endian(block, end_at, 8);
  return superblock + end - std::min(base, end);  // what adds or removes a user block leaves the addresses as they are
}

size_t bytes_to_read(const std::string& head) {
  constexpr size_t kForeign = size_t{16} << 20, kMost = size_t{1} << 62;
  const bool ours = starts_with(head, kBlockStart);
  const size_t superblock = ours ? kUserBlock : 0;
  if (!signature_at(head, superblock)) return kForeign;
  const size_t end = recorded_end(head, superblock);
  return end > superblock ? std::min(end, kMost) + 1 : kMost;
}

bool is_model_file(const std::string& path) {
  std::string start(kUserBlock, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  return starts_with(start, kBlockStart);
}

std::string user_block(const Fingerprint& content) {
  std::string block(kBlockStart);
  block += content.text() + "\n";
  block.resize(kUserBlock, '\0');
  return block;
}

std::string user_block(std::string_view content) {
  Fingerprint fingerprint;
  fingerprint.add(content.data(), content.size());
  return user_block(fingerprint);
}

Integrity check_integrity(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) throw Error(name, "empty; did the command that writes it fail?");
  if (signature_at(bytes, 0)) {
    refuse_cut(bytes, 0, name);
    return Integrity::kUnknown;
  }
  if (starts_with(bytes, kBlockStart)) {
    if (bytes.size() <= kUserBlock) throw Error(name, "cut short: " + std::to_string(bytes.size()) + " bytes");
    const std::string block = user_block(bytes.substr(kUserBlock));
    if (std::memcmp(block.data(), bytes.data(), kUserBlock) == 0 && signature_at(bytes, kUserBlock)) {
      return Integrity::kVerified;
    }
    if (signature_at(bytes, kUserBlock)) refuse_cut(bytes, kUserBlock, name);
    const std::string_view rest =
        bytes.substr(kBlockStart.size() + kHexDigits, kUserBlock - kBlockStart.size() - kHexDigits);
    const bool whole = rest[0] == '\n' && std::all_of(rest.begin() + 1, rest.end(), [](char c) { return c == '\0'; });
    if (!whole) throw Error(name, "damaged user block (the first 512 bytes)");
    throw Error(name,
                "content does not match its digest: damaged, or edited by another program (for a plain copy, which is "
                "read without the digest: h5unjam -i FILE -o COPY --delete)");
  }
  if (signature_at(bytes, kUserBlock)) {
    throw Error(name, "user block isn't a mas model's: damaged, or another program's (h5unjam removes it)");
  }
  for (size_t offset = 2 * kUserBlock; offset < bytes.size(); offset *= 2) {
    if (signature_at(bytes, offset)) {
      throw Error(name, "a user block of " + std::to_string(offset) + " bytes, not a mas model's (h5unjam removes it)");
    }
  }
  if (is_torchscript(bytes) || begins_torchscript(bytes)) {
    throw Error(name,
                "a TorchScript module, not a model; make one of it with mas-train --arch, or mas-importance --data");
  }
  if (const std::string other = explain_pytorch_file(bytes); !other.empty()) throw Error(name, other);
  const bool text = likely_content(bytes).what == "text";
  throw Error(name, mistake(bytes, "an HDF5 file") +
                        (text ? "; did the command before it write its model elsewhere, with -o?" : ""));
}

}  // namespace mas
