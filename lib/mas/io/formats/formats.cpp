#include "mas/io/formats.h"

namespace mas {

const std::map<std::string, ExportFormat>& export_formats() {
  static const std::map<std::string, ExportFormat> formats{
      {"csv", export_csv},
      {"json", export_json},
      {"npz", export_npz},
  };
  return formats;
}

}  // namespace mas
