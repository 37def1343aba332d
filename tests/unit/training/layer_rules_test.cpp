#include "mas/training/layer_rules.h"

#include "mas/error.h"
#include "unit/doctest_torch.h"

using namespace mas;

namespace {

LayerRules rules(const std::vector<std::string>& frozen, const std::vector<std::string>& factors) {
  LayerRules result;
  result.frozen = frozen;
  for (const auto& text : factors) add_lr_factor(result, text);
  return result;
}

const std::vector<std::string> kParameters = {"features.0.weight",   "features.0.bias", "features.10.weight",
                                              "classifier.1.weight", "head.weight",     "head.bias"};

}  // namespace

TEST_CASE("a layer's name stands for all within it, and the longest name counts") {
  const auto some = rules({"features.0"}, {"features:0.5", "features.10:2", "head:10"});
  CHECK(some.is_frozen("features.0.weight"));
  CHECK_FALSE(some.is_frozen("features.10.weight"));
  CHECK(some.lr_factor("features.0.bias") == 0.5);
  CHECK(some.lr_factor("features.10.weight") == 2);
  CHECK(some.lr_factor("classifier.1.weight") == 1);
  CHECK(some.lr_factor("head.weight") == 10);
  CHECK(some.lr_factor("heads/old/weight") == 1);
  CHECK(rules({"head.bias"}, {}).is_frozen("head.bias"));
  CHECK_FALSE(rules({"head.bias"}, {}).is_frozen("head.weight"));
  CHECK_NOTHROW(some.check(kParameters, "net"));
}

TEST_CASE("a rule about no layer is refused with the nearest one, and one that leaves nothing") {
  CHECK_THROWS_WITH_AS(rules({"feature.0"}, {}).check(kParameters, "net"),
                       "net: --freeze feature.0: no such layer that could learn; did you mean features.0? There are "
                       "classifier, features, head",
                       Error);
  CHECK_THROWS_WITH_AS(rules({}, {"clasifier:2"}).check(kParameters, "net"),
                       "net: --lr-factor clasifier: no such layer that could learn; did you mean classifier? There are "
                       "classifier, features, head",
                       Error);
  CHECK_THROWS_WITH_AS(rules({"features", "classifier", "head"}, {}).check(kParameters, "net"),
                       "net: --freeze leaves nothing that could learn", Error);
  for (const char* text : {"head", "head:", ":2", "head:0", "head:-1", "head:nan", "head:1e7", "head:1x"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(rules({}, {text}), UsageError);
  }
  CHECK_THROWS_AS(rules({}, {"head:2", "head:3"}), UsageError);
}

TEST_CASE("rules go through a training's options") {
  nlohmann::json object;
  const auto some = rules({"a", "b"}, {"c.d:2", "head:10"});
  add_to_json(object, some);
  const auto read = parse_layer_rules(object);
  CHECK(read.frozen == some.frozen);
  CHECK(read.lr_factors == some.lr_factors);
  CHECK(parse_layer_rules(nlohmann::json::object()).empty());
  CHECK_THROWS_AS(parse_layer_rules({{"lr_factors", {{"a", -1}}}}), UsageError);
}
