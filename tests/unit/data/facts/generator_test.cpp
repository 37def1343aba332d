// The generator `facts`, lib/mas/data/facts/generator.cpp.
#include "mas/data/facts/world.h"
#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;
using mas::facts::chosen_facts;

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
