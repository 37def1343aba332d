#pragma once
#include <map>
#include <string>
#include <vector>

#include "mas/data/dataset.h"

namespace mas {

/// Word -> what tells its vector from others: a hash (XXH3) of its values.
using WordIdentities = std::map<std::string, std::string>;

/// Of the words of the data's facts. Empty where they have no names or no vectors. Words that aren't UTF-8 are left
/// out.
WordIdentities word_identities(const Dataset& data);

/// Words that both have, with other vectors.
std::vector<std::string> words_that_differ(const WordIdentities& a, const WordIdentities& b);

/// A line on words of the data `spec` that were learned with other vectors; "" where there are none.
std::string remark_on_words(const WordIdentities& words, const std::string& spec, const WordIdentities& learned);

}  // namespace mas
