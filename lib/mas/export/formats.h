#pragma once
#include <functional>
#include <map>
#include <string>

#include "mas/model/model.h"
#include "mas/tensors.h"

namespace mas {

/// What is exported: tensors under names; importance has the names of the weights that it is about.
struct ExportContent {
  const Model& model;
  NamedTensors weights;     ///< empty: not wanted
  NamedTensors importance;  ///< empty: not wanted
  bool both = true;         ///< both kinds are wanted, though the model may have no importance
};

struct ExportFormat {
  std::string ending;                                      ///< of its files: ".npz"
  bool text;                                               ///< that a terminal can show
  std::function<std::string(const ExportContent&)> write;  ///< the bytes of a file
};

/// name -> format; a new one is a file here and a line in this table.
const std::map<std::string, ExportFormat>& export_formats();

/// {"schema": "mas-export/1", "weights": {NAME: {"shape": [...], "values": [flat, row by row]}}, "importance": {...}}
std::string export_json(const ExportContent& content);
/// A header and a line an element: name,index,weight,importance (index: flat, row by row; columns as wanted).
std::string export_csv(const ExportContent& content);
/// For numpy.load: an array each; where both kinds are wanted, under weights/NAME and importance/NAME.
std::string export_npz(const ExportContent& content);

}  // namespace mas
