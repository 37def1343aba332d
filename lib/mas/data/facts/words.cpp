#include "mas/data/facts/words.h"

#include <fmt/format.h>

#include "mas/data/facts/source.h"
#include "mas/fingerprint.h"
#include "mas/text.h"

namespace mas {

WordIdentities word_identities(const Dataset& data) {
  WordIdentities found;
  if (!data.class_vectors().defined() || data.class_vectors().numel() == 0) return found;
  const at::Tensor vectors = data.class_vectors() + 0.0f;  // so that -0 is 0
  const auto bytes = static_cast<size_t>(vectors.size(1) / 3) * sizeof(float);
  for (const int64_t label : data.classes()) {
    const auto* values = static_cast<const char*>(vectors[label].contiguous().data_ptr());
    for (const auto& word : fact_words(data.class_name(label))) {
      if (!word.empty() && is_utf8(word) && !found.count(word)) {
        Fingerprint content;
        content.add(values, bytes);
        found[word] = content.text().substr(0, 16);
      }
      values += bytes;
    }
  }
  return found;
}

std::vector<std::string> words_that_differ(const WordIdentities& a, const WordIdentities& b) {
  std::vector<std::string> words;
  for (const auto& [word, identity] : a)
    if (const auto other = b.find(word); other != b.end() && other->second != identity) words.push_back(word);
  return words;
}

std::string remark_on_words(const WordIdentities& words, const std::string& spec, const WordIdentities& learned) {
  const auto differ = words_that_differ(words, learned);
  if (differ.empty()) return "";
  return fmt::format(
      "{}: {} of {} words {} another vector than the model learned ({}), which contradicts that; take the "
      "same vectors= or seed=",
      spec, differ.size(), words.size(), differ.size() == 1 ? "has" : "have", listing(differ, 4));
}

}  // namespace mas
