#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace mas {

/// The members of a zip archive whose contents lie there as they are, as torch.save stores them. Reads only the bytes
/// that it is given, which must outlive it; zip64 too.
class ZipArchive {
 public:
  /// Throws Error(name, ...) for an archive that is damaged, or whose members overlap.
  ZipArchive(std::string_view bytes, std::string name);
  bool contains(const std::string& member) const { return members_.count(member) > 0; }
  /// Throws Error where there is none of this name, it is compressed, or its checksum is wrong.
  std::string_view content(const std::string& member) const;
  /// The first member, in sorted order, whose name ends so; empty: there is none.
  std::string find_ending(const std::string& ending) const;

 private:
  struct Member {
    std::string_view content;
    uint32_t crc = 0;
    bool stored = true;
  };
  void read_directory(uint64_t at, uint64_t size, uint64_t count);
  Member locate(std::string_view entry, std::string_view extra) const;

  std::string_view bytes_;
  std::string name_;
  std::map<std::string, Member> members_;
};

}  // namespace mas
