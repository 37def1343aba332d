#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace mas {

/// A fact <S>, <S, P> or <S, P, O> by numbers of words; -1 where there is none.
struct Fact {
  int subject = -1, predicate = -1, object = -1;
};

/// What the generator `facts` draws: things, what they do, and a vector for each word.
namespace facts {

/// How a picture shows a word: kind chooses the shape, variant the colour, or the arrangement.
struct Word {
  const char* text;
  const char* kind;
  int variant;
};

const std::vector<Word>& subjects();    ///< people, animals, vehicles: four of each
const std::vector<Word>& predicates();  ///< four of a thing alone, then six that have an object
const std::vector<Word>& objects();     ///< of sport, furniture, food: four of each
constexpr int kAlone = 4;               ///< so many predicates have no object

/// All facts that there are in the world of a seed: 12 <S>, 24 <S, P>, 60 <S, P, O>, the same number for every seed.
std::vector<Fact> all_facts(uint64_t seed);

/// Which of them, in their order, are in a batch and about a topic. `batch`: "" for all, B1 and B2 for random halves,
/// B11 and B12 for those of B1, and so on; halves have as many of each form and of each topic, give or take one.
/// `topic`: the kind of an object, or "". Throws UsageError for one that can't be.
std::vector<int64_t> chosen_facts(uint64_t seed, const std::string& batch, const std::string& topic);

constexpr int kWordSize = 16;
/// Vectors of length 1 of the words, those of one kind near each other. float [words][kWordSize].
std::vector<std::vector<float>> word_vectors(const std::vector<Word>& words, uint64_t seed);

}  // namespace facts
}  // namespace mas
