#pragma once
#include <cstddef>
#include <memory>
#include <string>

namespace mas {

/// XXH3 (128 bits) of bytes that come in parts: equal for equal content, and for nothing else but on purpose.
class Fingerprint {
 public:
  Fingerprint();
  ~Fingerprint();
  void add(const void* bytes, size_t count);
  std::string text() const;  ///< 32 hexadecimal digits

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mas
