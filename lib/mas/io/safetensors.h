#pragma once
#include <string>
#include <string_view>

#include "mas/io/state_dict.h"

namespace mas {

/// The tensors of a safetensors file: eight bytes with the header's length, a JSON header, and the tensors' bytes, one
/// behind the other without gap or overlap. Throws Error(name, ...) for anything else.
StateDict parse_safetensors(std::string_view bytes, const std::string& name);
/// Whether the bytes begin like one.
bool is_safetensors(std::string_view bytes);

}  // namespace mas
