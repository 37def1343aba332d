#pragma once
#include <string>

namespace mas {

/// Text out of a file within a line of a report: '?' for each control character, ends of lines and tabs among them.
std::string harmless_line(std::string text);

/// The number with so many digits behind the point; 0 has no sign, nor has what is rounded to it. `plus`: positive ones
/// have one, too.
std::string fixed(double value, int digits, bool plus = false);

}  // namespace mas
