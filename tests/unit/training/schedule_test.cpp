#include "mas/training/schedule.h"

#include "mas/error.h"
#include "unit/doctest_torch.h"

using namespace mas;

TEST_CASE("schedules scale the learning rate by epoch") {
  CHECK(parse_schedule("constant").scale(7, 10) == 1);
  CHECK(parse_schedule("cosine").scale(0, 10) == 1);
  CHECK(parse_schedule("cosine").scale(5, 10) == doctest::Approx(0.5));
  CHECK(parse_schedule("step:3:0.1").scale(2, 10) == 1);
  CHECK(parse_schedule("step:3:0.1").scale(6, 10) == doctest::Approx(0.01));
}

TEST_CASE("the largest scale is found however many epochs there are") {
  CHECK(parse_schedule("constant").largest_scale(7) == 1);
  CHECK(parse_schedule("cosine").largest_scale(7) == 1);
  CHECK(parse_schedule("step:3:0.1").largest_scale(1000000000000) == 1);
  CHECK(parse_schedule("step:3:10").largest_scale(3) == 1);
  CHECK(parse_schedule("step:20000:10").largest_scale(40001) == doctest::Approx(100));
}

TEST_CASE("a schedule that can't be meant is refused") {
  for (const char* text : {"", "linear", "step", "step:0:0.1", "step:3:-1", "step:3:nan", "step:3:0.1x", "step: 3:0.1",
                           "step:3:0.1:2", "step:99999999999999999999:0.1"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_schedule(text), UsageError);
  }
}
