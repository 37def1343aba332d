#pragma once
#include <string>
#include <string_view>

#include "mas/io/state_dict.h"

namespace mas {

/// A state dict as torch.save writes it: a zip archive with a pickle and a member for each storage, or (before PyTorch
/// 1.6, and _use_new_zipfile_serialization=False) five pickles and the storages behind them. The tensors may be views
/// of shared storages.
StateDict parse_torch_zip(std::string_view bytes, const std::string& name);
StateDict parse_torch_legacy(std::string_view bytes, const std::string& name);
/// Whether the bytes begin as the older format does.
bool is_torch_legacy(std::string_view bytes);

}  // namespace mas
