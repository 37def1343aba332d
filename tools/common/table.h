#pragma once
#include <cstdio>
#include <string>
#include <vector>

namespace mas::tool {

/// Plain text in columns: the first to the left, the others to the right. A row is a line: control characters are made
/// harmless.
class Table {
 public:
  void add(std::vector<std::string> cells);
  std::string render() const;
  void print(std::FILE* out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace mas::tool
