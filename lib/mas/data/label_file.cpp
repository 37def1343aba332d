#include "mas/data/label_file.h"

#include <fmt/format.h>

#include "mas/data/idx.h"
#include "mas/error.h"

namespace mas {
namespace {

bool names_column(const std::string& labels) { return labels == "first" || labels == "last"; }

std::vector<int32_t> read_label_file(const std::string& path, const std::string& scratch) {
  const auto file = open_unpacked(path, scratch);
  if (recognise_idx(*file) != Match::kNo) return read_idx_labels(*file);
  if (recognise_csv(*file) == Match::kNo)
    throw Error(path, "no labels: neither IDX nor text with a whole number a line");
  // One column of values, read as floats: exact up to 2^24, which open_csv checks for a label column.
  SourceRequest request;
  request.labels = "none";
  request.scratch = scratch;
  Source column = open_csv(file, request);
  if (column.shape != std::vector<int64_t>{1})
    throw Error(path, fmt::format("a label file has one column, not {}", column.shape[0]));
  std::vector<int32_t> labels(static_cast<size_t>(column.rows));
  float value = 0;
  for (int64_t row = 0; row < column.rows; ++row) {
    column.read(row, &value);
    if (value < 0 || value >= 0x1p24f || value != static_cast<float>(static_cast<int32_t>(value)))
      throw Error(path, fmt::format("row {}: {} is no label, labels are whole numbers from 0", row + 1, value));
    labels[static_cast<size_t>(row)] = static_cast<int32_t>(value);
  }
  return labels;
}

}  // namespace

void use_label_file(Source& source, const std::string& path, const std::string& data, const std::string& scratch) {
  source.has_labels = true;
  source.class_names.clear();  // of the data's own labels
  source.labels = [path, data, scratch, rows = source.rows] {
    auto labels = read_label_file(path, scratch);
    if (static_cast<int64_t>(labels.size()) != rows)
      throw Error(path, fmt::format("{} labels, but {} has {} rows", labels.size(), data, rows));
    return labels;
  };
}

void choose_labels(Source& source, const std::string& path, const SourceRequest& request) {
  if (request.labels == "none" || !request.want_labels)
    source.has_labels = false;
  else if (!request.labels.empty() && !names_column(request.labels))
    use_label_file(source, request.labels, path, request.scratch);
}

void refuse_column(const std::string& path, const SourceRequest& request, const std::string& kind) {
  if (names_column(request.labels))
    throw Error(path, fmt::format("labels={} is for CSV, and this is {}", request.labels, kind));
}

}  // namespace mas
