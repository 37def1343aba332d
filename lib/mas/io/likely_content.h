#pragma once
#include <string>
#include <string_view>

namespace mas {

/// What a file seems to be that isn't what was expected, for messages: "an HTML page", and perhaps what to do about it.
struct LikelyContent {
  std::string what;    ///< empty where nothing is known
  std::string advice;  ///< empty where there is none
};
LikelyContent likely_content(std::string_view bytes);

/// "WHAT, not WANTED; ADVICE", or "not WANTED": the cause of an Error.
std::string mistake(std::string_view bytes, const std::string& wanted);

}  // namespace mas
