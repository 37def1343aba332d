#include "mas/line.h"

#include "unit/doctest_torch.h"

TEST_CASE("a text out of a file stays in its line") {
  CHECK(mas::harmless_line("caf\xc3\xa9\t1\n\x1b") == "caf\xc3\xa9?1??");
}

TEST_CASE("numbers are written with so many digits, and 0 without a sign") {
  CHECK(mas::fixed(-1.255, 1) == "-1.3");
  CHECK(mas::fixed(1.5, 2, true) == "+1.50");
  for (const double zero : {0.0, -0.0, 0.004, -0.004}) {
    CHECK(mas::fixed(zero, 2) == "0.00");
    CHECK(mas::fixed(zero, 2, true) == "0.00");
  }
}
