#pragma once
#include <cstdint>
#include <vector>

namespace mas {

/// Numbers that nodes save: int64_t, or from some release of LibTorch on c10::SymInt, which differs between nodes.
inline int64_t integer(int64_t i) { return i; }
template <class SymInt>
int64_t integer(const SymInt& i) {
  return i.expect_int();
}

template <class T>
std::vector<int64_t> integers(const std::vector<T>& values) {
  std::vector<int64_t> all;
  for (const auto& i : values) all.push_back(integer(i));
  return all;
}

}  // namespace mas
