#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "mas/data/file.h"

namespace mas {

/// Without blanks around it.
std::string_view trimmed(std::string_view text);

/// Without the byte order mark of UTF-8, where text begins with one.
std::string_view without_mark(std::string_view text);

/// What a field says: without blanks around it, and the quotation marks that enclose it.
std::string_view unquoted(std::string_view field);

/// A field's text that stood between quotation marks, in which two of them are one (RFC 4180).
std::string unescaped(std::string_view field);

/// Where the field from `begin` on ends. Between quotation marks that enclose it a separator is text, and two of them
/// are one (RFC 4180).
size_t field_end(std::string_view text, size_t begin, char separator);

/// What each field of a line says.
void split_fields(std::string_view text, char separator, std::vector<std::string_view>& fields);

/// Calls line(number, text) for each line that isn't blank; without its end, byte order mark and carriage return.
void for_each_line(const File& file, const std::function<void(int64_t, std::string_view)>& line);

}  // namespace mas
