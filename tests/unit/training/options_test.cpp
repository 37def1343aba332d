#include "mas/training/options.h"

#include <functional>

#include "mas/error.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

using namespace mas;

namespace {

TrainOptions unusual() {
  TrainOptions o;
  o.epochs = 7;
  o.batch_size = 3;
  o.optimizer.kind = OptimizerOptions::Kind::kSgd;
  o.optimizer.lr = 0.3;
  o.optimizer.momentum = 0.4;
  o.optimizer.weight_decay = 0.5;
  o.schedule = "step:2:0.5";
  o.lambda = 6;
  o.penalty_step = PenaltyStep::kProximal;
  o.validation = 0.25;
  o.patience = 2;
  o.track_si = true;
  o.xi = 0.7;
  o.distill.kind = DistillOptions::Kind::kEbll;
  o.distill.temperature = 8;
  o.distill.weight = 9;
  o.distill.code_weight = 10;
  o.code = 11;
  return o;
}

}  // namespace

TEST_CASE("options come back from a record as they went into it") {
  const auto o = unusual();
  CHECK(to_json(parse_train_options(to_json(o), "x.h5")) == to_json(o));
  CHECK(parse_train_options(to_json(o), "x.h5").xi == 0.7);
  TrainOptions joint;
  joint.joint = 3;
  CHECK(parse_train_options(to_json(joint), "x.h5").joint == 3);
}

TEST_CASE("options that can't be meant name the option, and the file whose record has them") {
  const auto fault = [](const std::function<void(TrainOptions&)>& change) {
    auto options = unusual();
    change(options);
    const auto said = test::error_of([&] { check_train_options(options); });
    CHECK(test::error_of([&] { parse_train_options(to_json(options), "ck.h5"); }) == "ck.h5: /tasks: " + said);
    return said;
  };
  CHECK(fault([](auto& o) { o.epochs = 0; }) == "--epochs: must be a whole number from 1 to 1000000000000, got 0");
  CHECK(fault([](auto& o) { o.batch_size = -1; }) == "--batch: must be a whole number from 1 to 1000000000000, got -1");
  CHECK(test::contains(fault([](auto& o) { o.code = int64_t{1} << 62; }), "--code: must be a whole number from 0 to"));
  CHECK(fault([](auto& o) { o.optimizer.lr = 0; }) == "--lr: must be a positive number");
  CHECK(fault([](auto& o) { o.optimizer.momentum = 1; }) == "--momentum: must be a number from 0 to below 1");
  CHECK(fault([](auto& o) { o.lambda = -1; }) == "--lambda: must be a number from 0");
  CHECK(fault([](auto& o) { o.validation = 1; }) == "--validation: must be a share from 0 to below 1");
  CHECK(fault([](auto& o) { o.validation = 0; }) == "--patience: needs samples to judge by; add --validation 0.1, say");
  CHECK(fault([](auto& o) { o.distill.temperature = 0; }) == "--temperature: must be a positive number");
  CHECK(fault([](auto& o) { o.joint = 2; }) == "--distill: is for one task at a time; give one --data");
  CHECK(test::contains(fault([](auto& o) { o.schedule = "linear"; }), "--schedule: "));
}

TEST_CASE("a record without a training's options is no checkpoint's") {
  CHECK(test::error_of([] {
          parse_train_options({{"epochs", 3}}, "x.h5");
        }) == "x.h5: /tasks lacks the options of a training");
  auto other = to_json(unusual());
  other["track"] = "rwalk";
  CHECK(test::error_of([&] { parse_train_options(other, "x.h5"); }) == "x.h5: /tasks: --track: must be si");
}
