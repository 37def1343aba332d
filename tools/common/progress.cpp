#include "common/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "common/print.h"
#include "mas/line.h"

namespace mas::tool {

using Clock = std::chrono::steady_clock;

Progress::Progress(const CommonOptions& options, std::string what)
    : what_(harmless_line(std::move(what))),
      shown_(options.progress == "always" || (options.progress == "auto" && !options.quiet && isatty(STDERR_FILENO))),
      begin_(Clock::now()),
      last_(begin_) {}

void Progress::operator()(int64_t done, int64_t total) {
  const auto now = Clock::now();
  if (!shown_ || total < 1 || (drawn_ && now - last_ < std::chrono::milliseconds(100))) return;
  last_ = now;
  drawn_ = true;
  constexpr int kWidth = 30;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const int filled = static_cast<int>(share * kWidth);
  const double passed = std::chrono::duration<double>(now - begin_).count();
  const auto left = share > 0.01 ? fmt::format("{:.0f} s left", passed / share - passed) : std::string();
  print_text(stderr, fmt::format("\r\033[K{} [{}{}] {:3.0f} % {}", what_, std::string(filled, '='),
                                 std::string(kWidth - filled, ' '), 100 * share, left));
  flush(stderr);
}

void Progress::clear() {
  if (drawn_) print_text(stderr, "\r\033[K");
  flush(stderr);
  drawn_ = false;
}

}  // namespace mas::tool
