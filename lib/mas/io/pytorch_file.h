#pragma once
#include <string>
#include <string_view>

namespace mas {

/// Whether bytes that begin like this are a zip archive, as modules are.
bool is_zip(std::string_view head);

/// Whether these are the bytes of a module that torch.jit.save wrote; the last of its parts tells.
bool is_torchscript(std::string_view bytes);
/// Whether bytes that begin like this are such a module.
bool begins_torchscript(std::string_view head);

/// For messages: what else these bytes are that PyTorch or its neighbours write, with what to do in Python; empty for
/// anything else.
std::string explain_pytorch_file(std::string_view bytes);

}  // namespace mas
