#include "mas/json.h"

#include "mas/error.h"

namespace mas {
namespace {

// Brackets that stand in no string. The parser's own callback would tell the depth, too, but with it each object of a
// long array costs a walk over the whole array.
bool deeper_than(const std::string& text, int deepest) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '[' || c == '{')) {
      if (++depth > deepest) return true;
    } else if (!quoted && (c == ']' || c == '}')) {
      --depth;
    }
  }
  return false;
}

}  // namespace

nlohmann::json parse_json(const std::string& text, int deepest, const std::string& subject) {
  if (deeper_than(text, deepest)) throw Error(subject, "JSON nested deeper than " + std::to_string(deepest));
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    const std::string what = error.what();  // "[json.exception.parse_error.101] parse error at line 2, column 5: ..."
    const size_t line = what.find("line "), end = what.find("] ");
    throw Error(subject, "not valid JSON: " + what.substr(line != std::string::npos  ? line
                                                          : end != std::string::npos ? end + 2
                                                                                     : 0));
  }
}

}  // namespace mas
