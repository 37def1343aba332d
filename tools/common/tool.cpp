#include "common/tool.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <new>
#include <system_error>

#include "common/help.h"
#include "common/suggest.h"
#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/text.h"
#include "mas/version.h"

namespace mas::tool {
namespace {

int usable_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

// glibc maps every block above 32 MB anew and gives freed memory back; both cost more than the arithmetic of a large
// batch. Kept, such blocks are reused.
void keep_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 64 << 20);
}

std::string one_line(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

int fail(const CLI::App& app, const std::string& message, int status) {
  std::cerr << app.get_name() << ": " << one_line(message) << "\n";
  return status;
}

// fmt and stdio forget why a write failed before the last one; poll() tells of a pipe without reader.
bool broken_pipe() {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

// Reports that were printed have to arrive: a full disk is an error, a reader that has seen enough isn't.
void flush_reports() {
  errno = 0;
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return;
  if (errno == EPIPE || (errno == 0 && broken_pipe())) throw BrokenPipe("standard output", "closed");
  throw Error("standard output", system_error_text(errno != 0 ? errno : EIO));
}

void apply(const CommonOptions& options) {
  if (options.device == "cuda") throw UsageError("--device", "cuda isn't supported yet; use --device cpu");
  at::set_num_threads(options.threads > 0 ? options.threads : usable_cores());
  keep_memory();
}

}  // namespace

OpenOptions CommonOptions::open_options() const {
  OpenOptions open;
  open.directories = data_directories;
  if (const char* folder = std::getenv("MAS_DATA")) open.directories.emplace_back(folder);
  if (const char* home = std::getenv("HOME")) open.directories.push_back(std::string(home) + "/.local/share/mas");
  if (const char* scratch = std::getenv("TMPDIR")) open.scratch = scratch;
  return open;
}

void add_common_options(CLI::App& app, CommonOptions& options, bool data) {
  app.formatter(std::make_shared<HelpFormatter>());
  const auto group = "Common options";
  app.set_help_flag("-h,--help", "print this help")->group(group);
  app.set_version_flag("--version", std::string(app.get_name()) + " " + version(), "print the version")->group(group);
  if (data) {
    app.add_option("--data-dir", options.data_directories, "where names such as mnist are looked up (also $MAS_DATA)")
        ->type_name("DIR")
        ->take_all()
        ->expected(1)
        ->group(group);
  }
  app.add_option("--threads", options.threads, "threads [all cores]")
      ->type_name("N")
      ->check(whole(1, 1024))
      ->group(group);
  app.add_option("--device", options.device, "cpu (cuda isn't supported yet)")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->type_name("DEVICE")
      ->group(group);
  app.add_option("--progress", options.progress, "progress bar on standard error: auto, always or never [auto]")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN")
      ->group(group);
  app.add_flag("-q,--quiet", options.quiet, "no report, only errors")->group(group);
}

CLI::Validator between(double least, double most) {
  return CLI::Validator(
      [least, most](std::string& text) {
        double value = 0;
        const bool number = CLI::detail::lexical_cast(text, value);
        if (number && value >= least && value <= most) return std::string();
        return fmt::format("must be a number from {:g} to {:g}, got {}", least, most, text);
      },
      "");
}

CLI::Validator whole(uint64_t least, uint64_t most) {
  return CLI::Validator(
      [least, most](std::string& text) {
        uint64_t value = 0;
        if (!parse_number(text, value) || value < least || value > most)
          return fmt::format("must be a whole number from {} to {}, got {}", least, most, text);
        text = std::to_string(value);  // without zeros in front
        return std::string();
      },
      "");
}

int run_tool(CLI::App& app, int argc, char** argv, CommonOptions& options, const std::function<int()>& work) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of the write, not the end of the process
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kDone;
  } catch (const CLI::CallForVersion& version) {
    std::cout << version.what() << "\n";
    return kDone;
  } catch (const CLI::ParseError& error) {
    return fail(app, explain(app, error, argc, argv), kUsage);
  }
  try {
    apply(options);
    const int status = work();
    flush_reports();
    return status;
  } catch (const BrokenPipe&) {
    return kFailed;  // whoever read has had enough; there is nobody to tell
  } catch (const UsageError& error) {
    return fail(app, error.what(), kUsage);
  } catch (const Error& error) {
    return fail(app, error.what(), kFailed);
  } catch (const std::bad_alloc&) {
    return fail(app, "not enough memory", kFailed);
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    if (what.find("allocate memory") != std::string::npos) return fail(app, "not enough memory", kFailed);
    return fail(app, error.what_without_backtrace(), kFailed);
  } catch (const std::system_error& error) {  // a full buffer of stdio's, which fmt wrote to
    if (error.code() == std::errc::broken_pipe) return kFailed;
    return fail(app, "standard output: " + system_error_text(error.code().value()), kFailed);
  } catch (const std::exception& error) {
    return fail(app, error.what(), kFailed);
  }
}

}  // namespace mas::tool
