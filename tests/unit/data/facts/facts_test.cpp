#include <map>
#include <set>

#include "mas/data/facts/world.h"
#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;
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

TEST_CASE("facts are labelled pictures with a vector for each label") {
  const auto train = open("facts,batch=B1,pictures=10"), test = open("facts,batch=B1,pictures=10,split=test");
  CHECK(train->size() == 480);
  CHECK(test->size() == 96);
  CHECK(train->sample_shape() == std::vector<int64_t>{3, 32, 32});
  CHECK(train->classes() == chosen_facts(0, "B1", ""));
  CHECK(train->classes() == test->classes());
  const auto vectors = train->class_vectors();
  CHECK(vectors.sizes() == at::IntArrayRef({96, 48}));
  for (int64_t label = 0; label < 96; ++label) {
    const std::string name = train->class_name(label);
    const auto words = 1 + std::count(name.begin(), name.end(), ',');
    CHECK(vectors[label].isnan().sum().item<int64_t>() == (3 - words) * 16);
    CHECK(vectors[label].narrow(0, 0, 16 * words).isfinite().all().item<bool>());
  }
  CHECK(train->class_name(0) == "<man>");
}

TEST_CASE("a topic's pictures are those of its batch") {
  const auto batch = open("facts,batch=B1,pictures=5"), topic = open("facts,batch=B1,topic=sport,pictures=5");
  CHECK(topic->size() == 50);
  const auto facts = chosen_facts(0, "B1", "");
  for (const int64_t row : {0, 7, 23}) {
    const int64_t label = topic->labels({row}).item<int64_t>(), count = topic->size() / 5;
    const auto place = std::find(facts.begin(), facts.end(), label) - facts.begin();
    const auto same = static_cast<int64_t>(place) + row / count * static_cast<int64_t>(facts.size());
    CHECK(batch->labels({same}).item<int64_t>() == label);
    CHECK(at::equal(topic->images({row}), batch->images({same})));
  }
}

TEST_CASE("facts are the same bytes on every machine") {
  const auto images = open("facts,pictures=5")->images({0, 40, 95});
  uint64_t hash = 0xcbf29ce484222325u;
  const auto bytes = (images * 255).round().to(at::kByte).contiguous();
  for (int64_t i = 0; i < bytes.numel(); ++i) hash = (hash ^ bytes.data_ptr<uint8_t>()[i]) * 0x100000001b3u;
  CHECK(hash == 2765006756455697102u);
  CHECK_FALSE(at::equal(images, open("facts,pictures=5,split=test")->images({0, 40, 95})));
}

TEST_CASE("facts that can't be are said") {
  CHECK_THROWS_WITH_AS(open("facts,batch=B3"), doctest::Contains("batch=B3: must be B1 or B2, "), mas::UsageError);
  CHECK_THROWS_WITH_AS(open("facts,batch=B"), doctest::Contains("batch=B: must be "), mas::UsageError);
  CHECK_THROWS_WITH_AS(open("facts,topic=art"), "topic=art: must be one of food, furniture, sport", mas::UsageError);
  CHECK_THROWS_WITH_AS(open("facts,pictures=4"), "pictures=4: must be a whole number from 5 to 100000",
                       mas::UsageError);
  CHECK_THROWS_WITH_AS(open("facts,difficulty=2"), "difficulty=2: must be a number from 0 to 1", mas::UsageError);
  CHECK_THROWS_WITH_AS(open("facts,topic="), doctest::Contains("topic="), mas::UsageError);
}
