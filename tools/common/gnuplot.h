#pragma once
#include <string>

namespace mas::tool {

/// What gnuplot writes to its standard output when it runs these commands and no start-up file of a user. Throws Error
/// with what it says where it fails, and with its package where it isn't there.
std::string run_gnuplot(const std::string& commands);

/// Text from files as a string that gnuplot takes as it is: in single quotes it expands nothing. Longer text than
/// `most` bytes loses its middle.
std::string gnuplot_string(const std::string& text, size_t most);
/// The same as the label of a tic, which is a format, and short.
std::string gnuplot_tic(const std::string& text);

}  // namespace mas::tool
