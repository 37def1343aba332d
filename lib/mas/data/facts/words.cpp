#include "mas/data/facts/words.h"

#include "mas/data/facts/source.h"
#include "mas/fingerprint.h"
#include "mas/text.h"

namespace mas {

WordIdentities word_identities(const Dataset& data) {
  WordIdentities found;
  const at::Tensor vectors = data.class_vectors();
  if (!vectors.defined() || vectors.numel() == 0) return found;
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

}  // namespace mas
