#include "common/tool.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sched.h>
#include <torch/csrc/jit/runtime/print_handler.h>

#include <algorithm>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "common/help.h"
#include "common/print.h"
#include "common/suggest.h"
#include "mas/error.h"
#include "mas/io/atomic_file.h"
#include "mas/io/bytes.h"
#include "mas/line.h"
#include "mas/text.h"
#include "mas/version.h"

namespace mas::tool {
namespace {

int usable_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

std::string one_line(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return harmless_line(text);
}

int fail(const CLI::App& app, const std::string& message, int status) {
  print_text(stderr, app.get_name() + ": " + one_line(message) + "\n");
  return status;
}

struct NoWarnings : c10::WarningHandler {
  void process(const c10::SourceLocation&, const std::string&, bool) override {}
};

// What LibTorch and TorchScript modules say while they run: standard output may be a model's, and standard error is for
// what concerns the user.
void redirect_torch() {
  static NoWarnings no_warnings;
  c10::Warning::set_warning_handler(&no_warnings);
  torch::jit::setPrintHandler([](const std::string& text) { print_report(stderr, text); });
}

const std::string kNoMemory = "not enough memory; a smaller --batch, network or input needs less";

void apply(const CommonOptions& options) {
  if (options.device == "cuda") throw UsageError("--device", "cuda isn't supported yet; use --device cpu");
  redirect_torch();
  use_threads(options.threads > 0 ? options.threads : usable_cores());
  keep_memory();
}

// A script's variable that isn't set leaves an empty value, which is never meant.
void refuse_empty(const CLI::Option* option) { throw UsageError(option->get_name(), "is empty"); }

// For `--option=` CLI11 would take the next argument.
void refuse_empty_before_parsing(const CLI::App& app, int argc, char** argv) {
  for (int i = 1; i < argc && argv[i] != std::string("--"); i++) {
    const std::string argument = argv[i];
    if (!starts_with(argument, "--") || !ends_with(argument, "=")) continue;
    if (const auto* option = app.get_option_no_throw(argument.substr(0, argument.size() - 1))) refuse_empty(option);
  }
}

void refuse_empty_values(const CLI::App& app) {
  for (const auto* option : app.get_options()) {
    const auto& values = option->results();
    if (std::find(values.begin(), values.end(), "") != values.end()) refuse_empty(option);
  }
}

int parse_and_work(CLI::App& app, int argc, char** argv, const CommonOptions& options,
                   const std::function<int()>& work) {
  try {
    refuse_empty_before_parsing(app, argc, argv);
    app.parse(argc, argv);
    refuse_empty_values(app);
  } catch (const CLI::CallForHelp&) {
    print_text(stdout, app.help());
    return kDone;
  } catch (const CLI::CallForVersion& version) {
    print(stdout, "{}\n", version.what());
    return kDone;
  } catch (const CLI::ParseError& error) {
    refuse_empty_values(app);  // what is wrong with it otherwise says less
    return fail(app, explain(app, error, argc, argv), kUsage);
  }
  apply(options);
  return work();
}

}  // namespace

void use_threads(int count) {
  at::set_num_threads(count);
  // LibTorch takes any BLAS; this one has a name for it.
  using Set = void (*)(int);
  if (const auto set = reinterpret_cast<Set>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(count);
}

void keep_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 64 << 20);
}

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
        ->allow_extra_args(false)
        ->group(group);
  }
  app.add_option("--threads", options.threads, "threads [all cores]")
      ->type_name("N")
      ->check(whole(1, 1024))
      ->group(group);
  app.add_option("--device", options.device, "cpu (cuda isn't supported yet)")
      ->check(one_of({"cpu", "cuda"}))
      ->type_name("DEVICE")
      ->group(group);
  app.add_option("--progress", options.progress, "progress bar on standard error: auto, always or never [auto]")
      ->check(one_of({"auto", "always", "never"}))
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
        // CLI11 reads what follows a 0 as octal.
        if (!parse_number(text, value) || std::to_string(value) != text || value < least || value > most)
          return fmt::format("must be a whole number from {} to {}, got {}", least, most, text);
        return std::string();
      },
      "");
}

CLI::Validator one_of(std::vector<std::string> words) {
  return CLI::Validator(
      [words = std::move(words)](std::string& text) {
        if (std::find(words.begin(), words.end(), text) != words.end()) return std::string();
        return fmt::format("must be {} or {}, got {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back(),
                           text);
      },
      "");
}

int run_tool(CLI::App& app, int argc, char** argv, CommonOptions& options, const std::function<int()>& work) {
  // A closed pipe and a file beyond its limit are errors of the write, not the end of the process.
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
  try {
    const int status = parse_and_work(app, argc, argv, options, work);
    flush_reports();
    return status;
  } catch (const BrokenPipe&) {
    return kFailed;  // whoever read has had enough; there is nobody to tell
  } catch (const UsageError& error) {
    return fail(app, error.what(), kUsage);
  } catch (const Error& error) {
    return fail(app, error.what(), kFailed);
  } catch (const std::bad_alloc&) {
    return fail(app, kNoMemory, kFailed);
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    return fail(app, what.find("allocate memory") != std::string::npos ? kNoMemory : what, kFailed);
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(app, error.path1().string() + ": " + system_error_text(error.code().value()), kFailed);
  } catch (const std::exception& error) {
    return fail(app, error.what(), kFailed);
  }
}

}  // namespace mas::tool
