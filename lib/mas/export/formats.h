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
  std::string task;         ///< of torchscript: whose outputs; empty: of the task learned last
};

struct ExportFormat {
  std::string ending;                                      ///< of its files: ".npz"
  bool text;                                               ///< that a terminal can show
  bool network;                                            ///< the network itself, and so the outputs of one task
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

/// For torch.jit.load: the network with its weights of now, in eval mode; it follows train() all the same. A module
/// that came from PyTorch is that module; with the head of a task (scenario task), it is `network` in a module that has
/// the head, `head`. Networks of layers have their parameters under their names. Throws Error where that computes
/// something else than the model.
std::string export_torchscript(const ExportContent& content);

}  // namespace mas
