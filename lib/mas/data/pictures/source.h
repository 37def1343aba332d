#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mas/data/formats.h"
#include "mas/data/source.h"

namespace mas {

/// File names without a string object each: there may be millions.
class FileNames {
 public:
  void add(std::string_view name) {
    text_ += name;
    ends_.push_back(text_.size());
  }
  int64_t size() const { return static_cast<int64_t>(ends_.size()); }
  std::string_view operator[](int64_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[static_cast<size_t>(i) - 1];
    return std::string_view(text_).substr(begin, ends_[static_cast<size_t>(i)] - begin);
  }

 private:
  std::string text_;
  std::vector<uint64_t> ends_;
};

/// Files, what they are labelled with, and what the labels are called.
struct PictureList {
  std::string folder;  ///< names are relative to it
  FileNames names;
  std::vector<int32_t> labels;           ///< one a name, or none at all
  std::vector<std::string> class_names;  ///< by label, or none
};

/// A picture that a line of the text file `file` names. Throws Error naming file and line where it can't be read.
void add_listed(PictureList& list, const std::string& name, const std::string& file, int64_t line);

/// Rows of bytes, 3 x height x width, decoded when they are read, in as many threads as LibTorch has. The spec's size,
/// or crop where there is none, makes one size of many; without them the first picture's is that of all.
Source open_pictures(PictureList pictures, const SourceRequest& request);

}  // namespace mas
