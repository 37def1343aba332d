#include "mas/data/facts/words.h"

#include <algorithm>
#include <set>

#include "mas/data/facts/source.h"
#include "unit/data/pictures/picture_files.h"
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
  CHECK(std::any_of(b1.begin(), b1.end(), [&](const auto& word) { return b2.count(word.first) > 0; }));
  CHECK(words_that_differ(b1, b2).empty());
  std::set<std::string> values;
  for (const auto& [word, identity] : b1) values.insert(identity);
  CHECK(values.size() == b1.size());
  const auto other = word_identities(*open("facts,seed=1,pictures=5"));
  CHECK(words_that_differ(b1, other).size() == b1.size());
  CHECK(word_identities(*open("glyphs,samples=20")).empty());
}

TEST_CASE("0 and -0 are the same vector, and words that aren't UTF-8 have none") {
  const Folder folder;
  write_below(folder, "a.bmp", bmp(1, 1, 1));
  const auto identities = [&](const std::string& vectors) {
    const std::string list = folder.write("list.csv", "image,subject,predicate,object\na.bmp,man,\xff,horse\n");
    return word_identities(*open(list + ",vectors=" + folder.write("words.txt", vectors)));
  };
  const auto plain = identities("man 1 0\n\xff 1 1\nhorse 2 2\n");
  CHECK(plain.size() == 2);
  CHECK(plain == identities("man 1 -0\n\xff 3 3\nhorse 2 2\n"));
  const auto other = identities("man 1 0\n\xff 1 1\nhorse 2 3\n");
  CHECK(words_that_differ(plain, other) == std::vector<std::string>{"horse"});
  CHECK(
      mas::remark_on_words(other, "list.csv", plain) ==
      "list.csv: 1 of 2 words has another vector than the model learned (horse), which contradicts that; take the same "
      "vectors= or seed=");
  CHECK(mas::remark_on_words(plain, "list.csv", plain) == "");
}
