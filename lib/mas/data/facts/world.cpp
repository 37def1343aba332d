#include "mas/data/facts/world.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "mas/error.h"
#include "mas/random.h"

#include "mas/data/strict_floats.h"

namespace mas::facts {
namespace {

constexpr size_t kPairs = 24, kTriples = 60;
constexpr int kDeepest = 3;                   // of batches: B111 has an eighth
constexpr float kCommon = 0.6f, kOwn = 0.8f;  // of a word's vector, what its kind has and what it alone: cosine 0.36

// Normally distributed, nearly: from sums alone, which every machine rounds alike.
float normal(SplitMix64& random) {
  float sum = 0;
  for (int i = 0; i < 12; ++i) sum += random.uniform();
  return sum - 6;
}

std::vector<float> unit_vector(SplitMix64 random) {
  std::vector<float> values(kWordSize);
  float squares = 0;
  for (float& value : values) {
    value = normal(random);
    squares += value * value;
  }
  for (float& value : values) value /= std::sqrt(squares);
  return values;
}

const char* topic_of(const Fact& fact) {
  return fact.object < 0 ? "" : objects()[static_cast<size_t>(fact.object)].kind;
}

// Ranks within facts of the same form and topic, in an order of their own: what halves are taken by.
std::vector<size_t> ranks(const std::vector<Fact>& all, uint64_t seed) {
  std::vector<size_t> rank(all.size());
  std::set<std::pair<int, std::string>> kinds;
  const auto kind_of = [](const Fact& fact) {
    return std::pair<int, std::string>((fact.predicate >= 0) + (fact.object >= 0), topic_of(fact));
  };
  for (const Fact& fact : all) kinds.insert(kind_of(fact));
  size_t begun = 0;  // so that odd numbers don't favour one half
  for (const auto& kind : kinds) {
    std::vector<size_t> members;
    for (size_t i = 0; i < all.size(); ++i)
      if (kind_of(all[i]) == kind) members.push_back(i);
    shuffle(members, derive_seed(seed, "facts/batches/" + kind.second));
    for (size_t k = 0; k < members.size(); ++k) rank[members[k]] = begun + k;
    begun += members.size();
  }
  return rank;
}

bool in_batch(size_t rank, const std::string& batch) {
  for (size_t i = 1; i < batch.size(); ++i, rank /= 2)
    if (rank % 2 != static_cast<size_t>(batch[i] - '1')) return false;
  return true;
}

void check_batch(const std::string& batch) {
  const bool fits = batch.size() > 1 && batch.size() <= 1 + kDeepest && batch[0] == 'B' &&
                    batch.find_first_not_of("12", 1) == std::string::npos;
  if (!batch.empty() && !fits)
    throw UsageError("batch=" + batch,
                     "must be B1 or B2, halves of all facts, or B11, B12, B21, B22, halves of these, "
                     "or halves of those");
}

void check_topic(const std::string& topic) {
  std::set<std::string> kinds;
  for (const Word& word : objects()) kinds.insert(word.kind);
  if (!topic.empty() && !kinds.count(topic))
    throw UsageError("topic=" + topic, fmt::format("must be one of {}", fmt::join(kinds, ", ")));
}

}  // namespace

const std::vector<Word>& subjects() {
  static const std::vector<Word> words{{"man", "people", 0},    {"woman", "people", 1},   {"boy", "people", 2},
                                       {"girl", "people", 3},   {"dog", "animals", 0},    {"cat", "animals", 1},
                                       {"horse", "animals", 2}, {"bear", "animals", 3},   {"car", "vehicles", 0},
                                       {"bus", "vehicles", 1},  {"truck", "vehicles", 2}, {"tractor", "vehicles", 3}};
  return words;
}

const std::vector<Word>& predicates() {
  static const std::vector<Word> words{
      {"standing", "still", 0},   {"lying", "still", 1},      {"jumping", "moving", 2}, {"running", "moving", 3},
      {"watching", "still", 4},   {"chasing", "moving", 5},   {"kicking", "moving", 6}, {"riding", "touching", 7},
      {"holding", "touching", 8}, {"carrying", "touching", 9}};
  return words;
}

const std::vector<Word>& objects() {
  static const std::vector<Word> words{{"ball", "sport", 0},    {"racket", "sport", 1},    {"board", "sport", 2},
                                       {"kite", "sport", 3},    {"chair", "furniture", 0}, {"table", "furniture", 1},
                                       {"bed", "furniture", 2}, {"lamp", "furniture", 3},  {"apple", "food", 0},
                                       {"cake", "food", 1},     {"bread", "food", 2},      {"pizza", "food", 3}};
  return words;
}

std::vector<Fact> all_facts(uint64_t seed) {
  std::vector<Fact> all, pairs, triples;
  const int n = static_cast<int>(subjects().size()), m = static_cast<int>(predicates().size());
  for (int s = 0; s < n; ++s) {
    all.push_back({s, -1, -1});
    for (int p = 0; p < kAlone; ++p) pairs.push_back({s, p, -1});
    for (int p = kAlone; p < m; ++p)
      for (int o = 0; o < static_cast<int>(objects().size()); ++o) triples.push_back({s, p, o});
  }
  shuffle(pairs, derive_seed(seed, "facts/pairs"));
  all.insert(all.end(), pairs.begin(), pairs.begin() + kPairs);
  // As many of each topic.
  shuffle(triples, derive_seed(seed, "facts/triples"));
  std::stable_sort(triples.begin(), triples.end(),
                   [](const Fact& a, const Fact& b) { return std::string(topic_of(a)) < topic_of(b); });
  const size_t of_a_topic = triples.size() / 3;
  for (size_t topic = 0; topic < 3; ++topic) {
    const auto begin = triples.begin() + static_cast<std::ptrdiff_t>(topic * of_a_topic);
    all.insert(all.end(), begin, begin + kTriples / 3);
  }
  return all;
}

std::vector<int64_t> chosen_facts(uint64_t seed, const std::string& batch, const std::string& topic) {
  check_batch(batch);
  check_topic(topic);
  const auto all = all_facts(seed);
  const auto rank = ranks(all, seed);
  std::vector<int64_t> chosen;
  for (size_t i = 0; i < all.size(); ++i)
    if (in_batch(rank[i], batch) && (topic.empty() || topic == topic_of(all[i])))
      chosen.push_back(static_cast<int64_t>(i));
  return chosen;
}

std::vector<std::vector<float>> word_vectors(const std::vector<Word>& words, uint64_t seed) {
  std::vector<std::vector<float>> vectors;
  for (const Word& word : words) {
    const auto kind = unit_vector(SplitMix64(derive_seed(seed, std::string("facts/kind/") + word.kind)));
    auto vector = unit_vector(SplitMix64(derive_seed(seed, std::string("facts/word/") + word.text)));
    float squares = 0;
    for (size_t i = 0; i < vector.size(); ++i) {
      vector[i] = kCommon * kind[i] + kOwn * vector[i];
      squares += vector[i] * vector[i];
    }
    for (float& value : vector) value /= std::sqrt(squares);
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

}  // namespace mas::facts
