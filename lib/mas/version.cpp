#include "mas/version.h"

namespace mas {
const char* version() { return MAS_VERSION; }
}  // namespace mas
