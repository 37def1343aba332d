#pragma once
#include <string>

#include "mas/data/formats.h"

namespace mas {

/// Makes the labels of a file the source's: IDX of rank 1 (plain or gzip), or text with a whole number a line. Where
/// their number differs from the rows, reading them is an Error. `data` names what has the rows.
void use_label_file(Source& source, const std::string& path, const std::string& data, const std::string& scratch);

/// What labels= says of a source that may have labels of its own: none, or those of a file.
void choose_labels(Source& source, const std::string& path, const SourceRequest& request);

/// Throws Error where labels= names a column, which data of this kind don't have.
void refuse_column(const std::string& path, const SourceRequest& request, const std::string& kind);

}  // namespace mas
