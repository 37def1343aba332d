#pragma once
#include <string>

#include <nlohmann/json.hpp>

namespace mas {

/// Parses JSON of at most `deepest` levels of objects and arrays: reading or writing thousands would use up the stack.
/// Throws Error(subject, ...) with line and column of a mistake.
nlohmann::json parse_json(const std::string& text, int deepest, const std::string& subject);

}  // namespace mas
