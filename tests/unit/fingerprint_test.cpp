#include "mas/fingerprint.h"

#include "unit/doctest_torch.h"

TEST_CASE("a fingerprint is that of all parts together") {
  mas::Fingerprint whole, parts, other;
  // XXH3 128 of nothing, seed 0, from the xxHash reference (xxhsum -H2 of an empty file).
  CHECK(whole.text() == "99aa06d3014798d86001c324468d497f");
  whole.add("abcdef", 6);
  parts.add("ab", 2);
  parts.add("cdef", 4);
  other.add("abcdeg", 6);
  CHECK(parts.text() == whole.text());
  CHECK(other.text() != whole.text());
}
