#include "mas/importance/methods.h"

#include "mas/error.h"
#include "unit/doctest_torch.h"

using namespace mas;
using Origin = ImportanceMethod::Origin;

TEST_CASE("a method's name tells how its importance is made, weighed and combined") {
  CHECK(method_called("ewc").penalty_factor == 0.5);
  CHECK(method_called("ewc").combine == "anchors");
  CHECK((method_called("ewc").measure == Method::kFisher));
  CHECK((method_called("local").measure == Method::kLocal));
  CHECK((method_called("si").origin == Origin::kTraining));
  CHECK((method_called("l2").origin == Origin::kConstant));
  for (const char* name : {"mas", "local", "si", "l2", "another program's"}) {
    CAPTURE(name);
    CHECK(method_called(name).penalty_factor == 1);
    CHECK(method_called(name).combine == "sum");
  }
  for (const char* name : {"mas", "local", "ewc", "another program's"})
    CHECK((method_called(name).origin == Origin::kSamples));
}

TEST_CASE("a method is in the table or isn't one") {
  for (const char* name : {"mas", "local", "ewc", "si", "l2"}) CHECK(is_method(name));
  for (const char* name : {"", "another program's"}) CHECK_FALSE(is_method(name));
}

TEST_CASE("methods are asked for by the names of those that mas-importance makes") {
  for (const char* name : {"mas", "local", "ewc", "l2"}) CHECK(parse_method(name).name == name);
  CHECK_THROWS_WITH_AS(parse_method("si"), "--method: si is recorded while a task is trained: mas-train --track si",
                       UsageError);
  CHECK_THROWS_WITH_AS(parse_method("max"), "--method: must be mas, local, ewc or l2, got max", UsageError);
}
