#include "mas/data/facts/words.h"

#include <set>

#include "mas/data/facts/source.h"
#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;
using mas::fact_name;
using mas::fact_words;
using mas::FactWords;
using mas::word_identities;
using mas::words_that_differ;

TEST_CASE("a fact's words are those of its name") {
  for (const FactWords& words : {FactWords{"man", "", ""}, FactWords{"man", "riding", ""},
                                 FactWords{"the man", "riding on", "high horse"}, FactWords{"a", "b", "c"}})
    CHECK(fact_words(fact_name(words)) == words);
  for (const char* other : {"", "<", ">", "cat", "<cat", "cat>"}) CHECK(fact_words(other) == FactWords{});
}

TEST_CASE("a word's identity is that of its vector, whichever fact it is in") {
  const auto b1 = word_identities(*open("facts,batch=B1,pictures=5"));
  const auto b2 = word_identities(*open("facts,batch=B2,pictures=5,normalize=0.5:0.5"));
  CHECK(b1.size() > 20);
  CHECK(b1.count("man") + b2.count("man") > 0);
  CHECK(words_that_differ(b1, b2).empty());
  std::set<std::string> values;
  for (const auto& [word, identity] : b1) values.insert(identity);
  CHECK(values.size() == b1.size());
  const auto other = word_identities(*open("facts,seed=1,pictures=5"));
  CHECK(words_that_differ(b1, other).size() == b1.size());
  CHECK(word_identities(*open("glyphs,samples=20")).empty());
}
