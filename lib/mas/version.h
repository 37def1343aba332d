#pragma once

namespace mas {

/// Of the library that the program is linked with: "0.1.0".
const char* version();

}  // namespace mas
