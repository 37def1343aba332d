#include "mas/line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "mas/text.h"

namespace mas {

std::string harmless_line(std::string text) {
  text = harmless(std::move(text));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n'; }, '?');
  return text;
}

std::string fixed(double value, int digits, bool plus) {
  const std::string size = fmt::format("{:.{}f}", std::abs(value), digits);
  const bool zero = size.find_first_not_of("0.") == std::string::npos;
  return (zero ? "" : value < 0 ? "-" : plus ? "+" : "") + size;
}

}  // namespace mas
