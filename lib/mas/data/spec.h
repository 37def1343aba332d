#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mas {

enum class Split { kAll, kTrain, kTest };

/// A data spec: PATH-OR-NAME[,key=value...], e.g. "mnist,classes=0-4,limit=1000" (man page mas.7, DATA). In a path or
/// value `\,` stands for a comma and `\\` for a backslash; any other backslash is itself.
struct DataSpec {
  std::string source;                               ///< a path, or a name such as "mnist" or "glyphs"
  std::vector<int64_t> classes;                     ///< labels to keep, in this order; empty: all
  Split split = Split::kAll;                        ///< which part; kAll: the source's training part where it has parts
  std::optional<double> fraction;                   ///< split=0.8: train is this share of the rows, test the rest
  std::optional<int64_t> limit;                     ///< at most this many samples
  std::optional<std::pair<int64_t, int64_t>> size;  ///< height x width: resized, or a flat row reshaped
  bool square = false;  ///< size=N: of an image's centre square, so that nothing is distorted
  std::optional<std::pair<int64_t, int64_t>> crop;             ///< height x width: the centre that is kept
  int64_t pad = 0;                                             ///< pixels of 0 on each side
  std::optional<uint64_t> permute;                             ///< seed of a fixed permutation of the pixels
  double rotate = 0;                                           ///< degrees, counter-clockwise
  std::string normalize;                                       ///< "", "auto", or what parse_normalize() reads
  std::string labels;                                          ///< a file, or for CSV: "first", "last", "none"
  std::string cache;                                           ///< file for decoded pictures; empty: none
  std::string vectors;                                         ///< file with vectors of facts' words; empty: none
  uint64_t seed = 0;                                           ///< of what is generated or split at random
  std::vector<std::pair<std::string, std::string>> generator;  ///< keys only a generator knows, e.g. difficulty

  /// Throws UsageError naming the key, with the nearest right key for a wrong one.
  static DataSpec parse(const std::string& text);
  /// The canonical text: parse(str()) equals *this.
  std::string str() const;

  bool operator==(const DataSpec& other) const;
  bool operator!=(const DataSpec& other) const { return !(*this == other); }
};

/// Mean and deviation, of values from 0 to 1: of each channel, or one pair for all. Reads "MEAN:STD[;...]", the same of
/// pixels from 0 to 255 as "MEAN/STD[;...]", and "imagenet". Throws UsageError.
std::vector<std::pair<double, double>> parse_normalize(const std::string& value);
/// Parses "0-4" or "0-1;5" as in classes=. Throws UsageError naming `key`.
std::vector<int64_t> parse_classes(const std::string& key, const std::string& text);
/// The text of a list of classes: "0-4;7"; parse_classes() gives the same list, order kept.
std::string format_classes(const std::vector<int64_t>& classes);

}  // namespace mas
