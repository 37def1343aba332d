#include "mas/export/formats.h"

namespace mas {

const std::map<std::string, ExportFormat>& export_formats() {
  static const std::map<std::string, ExportFormat> formats{
      {"csv", {".csv", true, export_csv}},
      {"json", {".json", true, export_json}},
      {"npz", {".npz", false, export_npz}},
  };
  return formats;
}

}  // namespace mas
