#pragma once
#include <string>

#include <CLI/CLI.hpp>

namespace mas::tool {

/// One line for what is wrong with a command line: the option, the cause, and the nearest right option.
std::string explain(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv);

}  // namespace mas::tool
