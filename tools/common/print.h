#pragma once
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "mas/line.h"

namespace mas::tool {

/// Prints text as it is. A report that can't be printed doesn't stop the work that it is about: what befalls standard
/// output is kept for flush_reports(), and of standard error there is nobody to tell.
void print_text(std::FILE* out, const std::string& text);

/// The same for text that may hold words out of a file: control characters are made harmless.
void print_report(std::FILE* out, const std::string& text);

/// JSON for programs, as it is; bytes that are no UTF-8, which a file's name may have, as U+FFFD.
void print_json(std::FILE* out, const nlohmann::json& json);

/// What print() fills in: texts, which may be names out of a file, made fit for a line; all else as it is.
inline std::string in_line(const std::string& text) { return harmless_line(text); }
inline std::string in_line(const char* text) { return harmless_line(text); }
template <typename Value>
const Value& in_line(const Value& value) {
  return value;
}

/// fmt::print() for reports. Lines end where the format says so, whatever is filled in.
template <typename... Args>
void print(std::FILE* out, fmt::format_string<Args...> format, Args&&... args) {
  print_report(out, fmt::vformat(fmt::string_view(format), fmt::make_format_args(in_line(args)...)));
}

/// What was printed shows now.
void flush(std::FILE* out);

/// Reports that were printed have to arrive: throws Error where standard output took not all of them, BrokenPipe where
/// its reader has seen enough.
void flush_reports();

}  // namespace mas::tool
