#pragma once
#include <stdexcept>
#include <string>

namespace mas {

/// Input that can't be used or work that can't be done. what() is one line: the file or option, then what is wrong,
/// lower case, no full stop, with what to do where that helps. The tools put their name before it and exit with 1.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  /// "subject: cause"
  Error(const std::string& subject, const std::string& cause) : std::runtime_error(subject + ": " + cause) {}
};

/// A command line that can't be meant; subject is the option. The tools exit with 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace mas
