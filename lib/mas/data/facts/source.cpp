#include "mas/data/facts/source.h"

#include <algorithm>
#include <limits>

namespace mas {

std::string fact_name(const FactWords& words) {
  std::string name = "<" + words[0];
  for (size_t i = 1; i < words.size() && !words[i].empty(); ++i) name += ", " + words[i];
  return name + ">";
}

FactWords fact_words(const std::string& name) {
  FactWords words;
  if (name.size() < 2 || name.front() != '<' || name.back() != '>') return words;
  size_t begin = 1;
  for (auto& word : words) {
    const size_t end = std::min(name.find(", ", begin), name.size() - 1);
    word = name.substr(begin, end - begin);
    if (end == name.size() - 1) break;
    begin = end + 2;
  }
  return words;
}

at::Tensor concatenated(const std::vector<FactVectors>& facts, int64_t size) {
  at::Tensor all = at::full({static_cast<int64_t>(facts.size()), 3 * size}, std::numeric_limits<float>::quiet_NaN());
  auto* to = all.data_ptr<float>();
  for (const auto& fact : facts)
    for (const auto* word : fact) {
      if (word) std::copy(word->begin(), word->end(), to);
      to += size;
    }
  return all;
}

}  // namespace mas
