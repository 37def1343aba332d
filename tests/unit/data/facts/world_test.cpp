#include "mas/data/facts/world.h"

#include <algorithm>
#include <map>
#include <set>

#include "unit/doctest_torch.h"

using mas::facts::chosen_facts;

namespace {

int form_of(const mas::Fact& fact) { return 1 + (fact.predicate >= 0) + (fact.object >= 0); }

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double product = 0;
  for (size_t i = 0; i < a.size(); ++i) product += static_cast<double>(a[i]) * b[i];
  return product;
}

std::vector<int64_t> joined(std::vector<int64_t> a, const std::vector<int64_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  std::sort(a.begin(), a.end());
  return a;
}

}  // namespace

TEST_CASE("a world has 96 facts of three forms, none twice, and halves that share none") {
  for (const uint64_t seed : {0, 1, 99}) {
    const auto all = mas::facts::all_facts(seed);
    std::map<int, int> forms;
    std::set<std::vector<int>> seen;
    for (const auto& fact : all) {
      ++forms[form_of(fact)];
      CHECK(seen.insert({fact.subject, fact.predicate, fact.object}).second);
      CHECK((fact.object >= 0) == (fact.predicate >= mas::facts::kAlone));
    }
    CHECK(forms == std::map<int, int>{{1, 12}, {2, 24}, {3, 60}});
    for (const std::string whole : {"", "B1", "B2", "B12"}) {
      const std::string stem = whole.empty() ? "B" : whole;
      CHECK(joined(chosen_facts(seed, stem + "1", ""), chosen_facts(seed, stem + "2", "")) ==
            chosen_facts(seed, whole, ""));
    }
    for (const std::string batch : {"B1", "B2", "B11", "B12", "B21", "B22"}) {
      const auto chosen = chosen_facts(seed, batch, "");
      std::map<int, int> own;
      for (const int64_t fact : chosen) ++own[form_of(all[static_cast<size_t>(fact)])];
      const int share = batch.size() == 2 ? 2 : 4;
      for (const auto& [form, count] : forms) CHECK(std::abs(own[form] - count / share) <= 1);
      CHECK(std::abs(static_cast<int>(chosen_facts(seed, batch, "sport").size()) - 20 / share) <= 1);
    }
  }
  CHECK(chosen_facts(0, "B1", "") != chosen_facts(1, "B1", ""));
}

TEST_CASE("words of a kind are nearer to each other than to others") {
  const auto& words = mas::facts::objects();
  const auto vectors = mas::facts::word_vectors(words, 3);
  double near = 0, far = 0;
  int nears = 0, fars = 0;
  for (size_t i = 0; i < words.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const bool same = std::string(words[i].kind) == words[j].kind;
      (same ? near : far) += cosine(vectors[i], vectors[j]);
      ++(same ? nears : fars);
    }
  CHECK(near / nears > far / fars + 0.2);
  for (const auto& vector : vectors) CHECK(cosine(vector, vector) == doctest::Approx(1));
}
