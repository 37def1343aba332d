#include "mas/version.h"

#include <string>

#include "unit/doctest_torch.h"

TEST_CASE("the version is the project's") { CHECK(std::string(mas::version()) == MAS_VERSION); }
