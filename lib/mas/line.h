#pragma once
#include <string>

namespace mas {

/// Text out of a file within a line of a report: '?' for each control character, ends of lines and tabs among them.
std::string harmless_line(std::string text);

}  // namespace mas
