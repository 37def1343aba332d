// The "binary version" of CIFAR-10 and CIFAR-100: records of one label byte (100: coarse, then fine) and 3 x 32 x 32
// bytes, without any header. https://www.cs.toronto.edu/~kriz/cifar.html
#include <optional>

#include <fmt/format.h>

#include "mas/data/formats.h"
#include "mas/error.h"

namespace mas {
namespace {

constexpr int64_t kPixels = 3 * 32 * 32;

struct Kind {
  const char* name;
  int64_t label_bytes;  // the last one before the pixels is the label
  int classes;
  int64_t record() const { return label_bytes + kPixels; }
};
constexpr Kind kCifar10{"CIFAR-10", 1, 10};
constexpr Kind kCifar100{"CIFAR-100", 2, 100};

std::vector<int32_t> read_labels(const File& file, const Kind& kind) {
  const int64_t records = file.size() / kind.record();
  std::vector<int32_t> labels(static_cast<size_t>(records));
  std::vector<uint8_t> record(static_cast<size_t>(kind.label_bytes));
  for (int64_t i = 0; i < records; ++i) {
    file.read(i * kind.record(), kind.label_bytes, record.data());
    if (record.back() >= kind.classes)
      throw Error(file.name(), fmt::format("record {} has label {}, out of range: {} has 0 to {}", i + 1, record.back(),
                                           kind.name, kind.classes - 1));
    labels[static_cast<size_t>(i)] = record.back();
  }
  return labels;
}

bool labels_fit(const File& file, const Kind& kind) {
  try {
    read_labels(file, kind);
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool size_fits(const File& file, const Kind& kind) { return file.size() > 0 && file.size() % kind.record() == 0; }

// 3073 and 3074 share no factor, so both fit only a file of some multiple of 9446402 bytes; then the labels decide, for
// CIFAR-10 where they fit both.
std::optional<Kind> kind_of(const File& file) {
  const bool ten = size_fits(file, kCifar10), hundred = size_fits(file, kCifar100);
  if (ten && hundred) return labels_fit(file, kCifar10) ? kCifar10 : kCifar100;
  if (ten) return kCifar10;
  if (hundred) return kCifar100;
  return {};
}

}  // namespace

Match recognise_cifar(const File& file) {
  const auto kind = kind_of(file);
  if (!kind) return Match::kNo;
  return labels_fit(file, *kind) ? Match::kSurely : Match::kPerhaps;
}

Source open_cifar(const std::shared_ptr<File>& file, const SourceRequest& request) {
  const Kind kind = kind_of(*file).value();
  Source source;
  source.rows = file->size() / kind.record();
  source.shape = {3, 32, 32};
  source.read = read_stretches({{file, kind.label_bytes, kind.record(), source.rows}}, kPixels);
  source.has_labels = true;
  if (request.want_labels) read_labels(*file, kind);  // a wrong one means that it is another kind of file
  source.labels = [file, kind] { return read_labels(*file, kind); };
  return source;
}

}  // namespace mas
