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

}  // namespace mas
