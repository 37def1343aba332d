// The generator `facts`: row n shows one of the chosen facts, in turn, and is a pure function of the seed, the part,
// the fact and which picture of it this is, so that a topic of a batch has the same pictures as the batch.
#include <fmt/format.h>

#include "mas/data/facts/scene.h"
#include "mas/data/facts/source.h"
#include "mas/data/facts/world.h"
#include "mas/data/formats.h"
#include "mas/error.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr int64_t kDefaultPictures = 50;  // of a fact
constexpr int64_t kTestShare = 5;         // the test part has a fifth as many
constexpr int64_t kMostPictures = 100000;
constexpr double kDefaultDifficulty = 0.5;

struct Options {
  std::string batch, topic;
  int64_t pictures = kDefaultPictures;
  float difficulty = kDefaultDifficulty;
};

void set(Options& options, const std::string& key, const std::string& value) {
  if (key == "batch") {
    options.batch = value;
  } else if (key == "topic") {
    options.topic = value;
  } else if (key == "difficulty") {
    if (!parse_number(value, options.difficulty) || options.difficulty < 0 || options.difficulty > 1)
      throw UsageError(key + "=" + value, "must be a number from 0 to 1");
  } else if (!parse_number(value, options.pictures) || options.pictures < kTestShare ||
             options.pictures > kMostPictures) {
    throw UsageError(key + "=" + value, fmt::format("must be a whole number from {} to {}", kTestShare, kMostPictures));
  }
}

FactWords words_of(const Fact& fact) {
  const auto text = [](const auto& words, int word) {
    return std::string(word < 0 ? "" : words[static_cast<size_t>(word)].text);
  };
  return {text(facts::subjects(), fact.subject), text(facts::predicates(), fact.predicate),
          text(facts::objects(), fact.object)};
}

}  // namespace

void check_facts(const std::string& key, const std::string& value) {
  Options options;
  set(options, key, value);
  if (value.empty()) throw UsageError(key + "=", "has no value");
  facts::chosen_facts(0, options.batch, options.topic);
}

Source open_facts(const DataSpec& spec) {
  Options options;
  for (const auto& [key, value] : spec.generator) set(options, key, value);
  const bool test = spec.split == Split::kTest && !spec.fraction;
  const auto all = facts::all_facts(spec.seed);
  const auto chosen = facts::chosen_facts(spec.seed, options.batch, options.topic);
  const auto count = static_cast<int64_t>(chosen.size());
  const uint64_t stream = derive_seed(spec.seed, test ? "facts/test" : "facts/train");

  Source source;
  source.rows = count * (test ? options.pictures / kTestShare : options.pictures);
  source.shape = {3, facts::kSide, facts::kSide};
  source.read = [=, difficulty = options.difficulty](at::ArrayRef<int64_t> rows, void* out) {
    auto* image = static_cast<uint8_t*>(out);
    for (int64_t row : rows) {
      const int64_t fact = chosen[static_cast<size_t>(row % count)];
      const auto number = static_cast<uint64_t>(fact * kMostPictures + row / count);
      facts::draw_scene(all[static_cast<size_t>(fact)], difficulty, SplitMix64(SplitMix64::mix(stream + number)),
                        image);
      image += facts::kSceneBytes;
    }
  };
  source.has_labels = true;
  source.labels = [chosen, rows = source.rows] {
    std::vector<int32_t> labels;
    for (int64_t row = 0; row < rows; ++row)
      labels.push_back(static_cast<int32_t>(chosen[static_cast<size_t>(row) % chosen.size()]));
    return labels;
  };
  const auto subjects = facts::word_vectors(facts::subjects(), spec.seed);
  const auto predicates = facts::word_vectors(facts::predicates(), spec.seed);
  const auto objects = facts::word_vectors(facts::objects(), spec.seed);
  std::vector<FactVectors> vectors;
  const auto vector = [](const auto& words, int word) {
    return word < 0 ? nullptr : &words[static_cast<size_t>(word)];
  };
  for (const Fact& fact : all) {
    source.class_names.push_back(fact_name(words_of(fact)));
    vectors.push_back(
        {vector(subjects, fact.subject), vector(predicates, fact.predicate), vector(objects, fact.object)});
  }
  source.class_vectors = concatenated(vectors, facts::kWordSize);
  return source;
}

}  // namespace mas
