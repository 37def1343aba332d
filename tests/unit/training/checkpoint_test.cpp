#include "mas/training/checkpoint.h"

#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

using namespace mas;

namespace {

std::string fault(const char* key, const nlohmann::json& value) {
  ModelFile file;
  file.progress = {{"epoch", 3}, {"steps", 30}, {"best_accuracy", 0.5}, {"best_epoch", 2}};
  file.progress[key] = value;
  return test::error_of([&] {
    restore_state(file, 5, "ck.h5");
    Optimizer optimizer({}, {}, {});
    restore_optimizer(file, optimizer, "ck.h5");
  });
}

}  // namespace

TEST_CASE("a checkpoint's numbers are those that a training can reach") {
  CHECK(fault("epoch", 5).empty());
  CHECK(fault("epoch", -1) == "ck.h5: /progress: epoch is -1, expected a whole number from 0 to 5");
  CHECK(fault("epoch", 6) == "ck.h5: /progress: epoch is 6, expected a whole number from 0 to 5");
  CHECK(fault("epoch", 1.5) == "ck.h5: /progress: epoch is 1.5, expected a whole number from 0 to 5");
  CHECK(fault("best_epoch", 4) == "ck.h5: /progress: best_epoch is 4, expected a whole number from 0 to 3");
  CHECK(test::contains(fault("steps", -1), "ck.h5: /progress: steps is -1, expected"));
  CHECK(test::contains(fault("steps", uint64_t{1} << 63), "ck.h5: /progress: steps is 9223372036854775808, expected"));
  CHECK(fault("best_accuracy", -1).empty());  // no epoch was measured yet
  CHECK(fault("best_accuracy", 1.5) == "ck.h5: /progress: best_accuracy isn't a fraction");
  CHECK(fault("best_accuracy", nullptr) == "ck.h5: /progress: best_accuracy isn't a fraction");
  ModelFile file;
  file.progress = nlohmann::json::array();
  CHECK(test::error_of([&] { restore_state(file, 5, "ck.h5"); }) == "ck.h5: /progress isn't that of a checkpoint");
}
