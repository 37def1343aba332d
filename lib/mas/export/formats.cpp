#include "mas/export/formats.h"

namespace mas {

const std::map<std::string, ExportFormat>& export_formats() {
  static const std::map<std::string, ExportFormat> formats{
      {"csv", {".csv", true, false, export_csv}},
      {"json", {".json", true, false, export_json}},
      {"npz", {".npz", false, false, export_npz}},
      {"torchscript", {".pt", false, true, export_torchscript}},
  };
  return formats;
}

}  // namespace mas
