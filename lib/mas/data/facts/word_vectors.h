#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "mas/data/file.h"

namespace mas {

/// Word -> values, of the words that were asked for.
using WordVectors = std::map<std::string, std::vector<float>>;

/// Reads vectors of these words, and remembers no others: GloVe's text ("word 0.1 0.2 ..." a line), word2vec's text
/// (the same below a line with the number of words and of values), and word2vec's binary form (Mikolov et al. 2013),
/// each known by its content. Of a word that is there twice the first counts. A word may hold blanks, as some of
/// GloVe's do. Throws Error naming the file, and the line or the word's number, where vectors are cut, of different
/// lengths or not finite.
WordVectors read_word_vectors(const File& file, const std::set<std::string>& words);

/// The vector of a name: its own, that with _ for blanks, that in small letters, or else the mean of those of its
/// words. Empty where one has none. `candidates_of()` are all the words that are looked for.
std::vector<float> vector_of(const std::string& name, const WordVectors& vectors);
std::vector<std::string> candidates_of(const std::string& name);

}  // namespace mas
