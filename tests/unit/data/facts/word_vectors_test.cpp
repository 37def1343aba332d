#include "mas/data/facts/word_vectors.h"

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;
using mas::read_word_vectors;
using Vector = std::vector<float>;

namespace {

std::string binary(const std::string& header, const std::vector<std::pair<std::string, Vector>>& words) {
  std::string bytes = header + "\n";
  for (const auto& [word, values] : words) {
    bytes += word + " ";
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    bytes += "\n";
  }
  return bytes;
}

mas::WordVectors read(const std::string& bytes, const std::set<std::string>& words) {
  const Folder folder;
  return read_word_vectors(mas::File(folder.write("v", bytes)), words);
}

std::string fault(const std::string& bytes) {
  const Folder folder;
  const std::string path = folder.write("v", bytes);
  try {
    read_word_vectors(mas::File(path), {"cat"});
  } catch (const mas::Error& error) {
    return std::string(error.what()).substr(path.size());
  }
  return "";
}

}  // namespace

TEST_CASE("word vectors are read in three forms, and only those asked for") {
  const std::string lines = "dog 1 2.5 -3\ncat 0.25 1e-3 4\nnew york 7 8 9\ncat 0 0 0\n";
  const mas::WordVectors want{{"cat", {0.25f, 1e-3f, 4}}, {"new york", {7, 8, 9}}};
  CHECK(read(lines, {"cat", "new york", "horse"}) == want);
  CHECK(read("4 3\n" + lines, {"cat", "new york"}) == want);
  CHECK(read(binary("3 3", {{"dog", {1, 2, 3}}, {"cat", {0.25f, 1e-3f, 4}}, {"cat", {0, 0, 0}}}), {"cat"}) ==
        mas::WordVectors{{"cat", {0.25f, 1e-3f, 4}}});
  CHECK(read("1 3\r\ncat 1 2 3\r\n", {"cat"}) == mas::WordVectors{{"cat", {1, 2, 3}}});
}

TEST_CASE("a value that is smaller than a float is 0, one that is larger an error") {
  CHECK(read("cat 1e-50 -1e-60 1e-45\n", {"cat"}).at("cat")[0] == 0);
  CHECK(read("cat 1e-50 -1e-60 1e-45\n", {"cat"}).at("cat")[2] > 0);
  CHECK(fault("cat 1 1e39\n") == ": line 1: 1e39 is no value of a vector");
}

TEST_CASE("text whose words hold control characters, or with a byte order mark, is text") {
  const std::string lines = "\1x 1.0 2.0 3.0\ncat 0.0 0.1 0.2\n";
  const mas::WordVectors want{{"cat", {0, 0.1f, 0.2f}}};
  CHECK(read(lines, {"cat"}) == want);
  CHECK(read("2 3\n" + lines, {"cat"}) == want);
  CHECK(read("\xEF\xBB\xBF"
             "2 3\n" +
                 lines,
             {"cat"}) == want);
}

TEST_CASE("a large binary file is read in pieces") {
  std::vector<std::pair<std::string, Vector>> words;
  for (int i = 0; i < 3000; ++i) words.push_back({"w" + std::to_string(i), Vector(300, static_cast<float>(i) + 0.5f)});
  const auto found = read(binary("3000 300", words), {"w0", "w1747", "w2999"});
  CHECK(found.size() == 3);
  for (const auto& [word, values] : found) CHECK(values == Vector(300, std::stof(word.substr(1)) + 0.5f));
}

TEST_CASE("damaged word vectors are refused by line or number") {
  CHECK(fault("dog 1 2 3\ncat 1 2\n") == ": line 2: 2 values, but the vectors before have 3");
  CHECK(fault("dog 1 2 3\nhen 1 2 3 4\n") == ": line 2: 4 values, but the vectors before have 3");
  CHECK(fault("cat 1 2 x\n") == ": line 1: x is no value of a vector");
  CHECK(fault("cat 1 nan 2\n") == ": line 1: nan is no value of a vector");
  CHECK(fault("cat\n") == ": line 1: expected a word and the values of its vector");
  CHECK(fault("3 3\ncat 1 2 3\ndog 1 2 3\n") == ": has 2 words, but line 1 says 3");
  std::string wide = "cat";
  for (int i = 0; i < 70000; ++i) wide += " 1";
  CHECK(fault(wide + "\n") == ": line 1: more than 65536 values");
  CHECK(fault("1 3\ncat 1 2 3\ndog 1 2 3\n") == ": has 2 words, but line 1 says 1");
  CHECK(fault("0 3\ncat 1 2 3\n") == ": line 1: 0 words of 3 values can't be");
  CHECK(fault(std::string("\0\1\2", 3)).find(": no word vectors: neither text nor") == 0);
  const auto whole = binary("2 3", {{"dog", {1, 2, 3}}, {"cat", {4, 5, 6}}});
  CHECK(fault(whole.substr(0, whole.size() - 4)) == ": word 2 of 2: the file ends within its values");
  CHECK(fault(whole.substr(0, 21)) == ": word 2 of 2: the file ends before it");
  CHECK(fault(binary("9000000000000 3", {{"dog", {1, 2, 3}}})) == ": word 2 of 9000000000000: the file ends before it");
  const std::string longer = ": goes on after the 2 words of 2 values that line 1 says";
  CHECK(fault(binary("2 2", {{"dog", {1, 2}}, {"cat", {4, 5}}}) + "junk") == longer);
  CHECK(fault(binary("2 2", {{"dog", {1, 2}}, {"cat", {4, 5}}}) + std::string(9000, '\n')) == "");
  CHECK(fault(binary("1 3", {{"cat", {1, INFINITY, 3}}})) == ": word 1 of 1: cat has a value that isn't finite");
}

TEST_CASE("a name of several words has their mean, unless it has a vector of its own") {
  const mas::WordVectors known{{"wine", {1, 2}}, {"glass", {3, 6}}, {"tennis_racket", {9, 9}}, {"dog", {5, 5}}};
  CHECK(mas::vector_of("wine glass", known) == Vector{2, 4});
  CHECK(mas::vector_of("tennis racket", known) == Vector{9, 9});
  CHECK(mas::vector_of("Dog", known) == Vector{5, 5});
  CHECK(mas::vector_of("wine cat", known).empty());
  CHECK(mas::vector_of("", known).empty());
  const auto all = mas::candidates_of("Wine glass");
  for (const char* form : {"Wine glass", "Wine_glass", "wine glass", "wine_glass", "Wine", "wine", "glass"})
    CHECK(std::count(all.begin(), all.end(), form) > 0);
}
