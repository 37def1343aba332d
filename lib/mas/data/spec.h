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
  int64_t pad = 0;                                  ///< pixels of 0 on each side
  std::optional<uint64_t> permute;                  ///< seed of a fixed permutation of the pixels
  double rotate = 0;                                ///< degrees, counter-clockwise
  std::string normalize;                            ///< "", "MEAN:STD", one pair a channel separated by ';', or "auto"
  std::string labels;                               ///< a file, or for CSV: "first", "last", "none"
  uint64_t seed = 0;                                ///< of what is generated or split at random
  std::vector<std::pair<std::string, std::string>> generator;  ///< keys only a generator knows, e.g. difficulty

  /// Throws UsageError naming the key, with the nearest right key for a wrong one.
  static DataSpec parse(const std::string& text);
  /// The canonical text: parse(str()) equals *this.
  std::string str() const;

  bool operator==(const DataSpec& other) const;
  bool operator!=(const DataSpec& other) const { return !(*this == other); }
};

/// Parses "0-4" or "0-1;5" as in classes=. Throws UsageError naming `key`.
std::vector<int64_t> parse_classes(const std::string& key, const std::string& text);
/// The text of a list of classes: "0-4;7"; parse_classes() gives the same list, order kept.
std::string format_classes(const std::vector<int64_t>& classes);

}  // namespace mas
