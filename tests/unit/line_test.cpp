#include "mas/line.h"

#include "unit/doctest_torch.h"

TEST_CASE("a text out of a file stays in its line") {
  CHECK(mas::harmless_line("caf\xc3\xa9\t1\n\x1b") == "caf\xc3\xa9?1??");
}
