// What exact importance costs, next to a plain pass (batched forward + loss + backward, all weight gradients) over the
// same batch, in the better of the two memory formats for images. Everything runs in turn in one process; a pass over a
// small network is repeated over thousands of samples at a time, because products and sums in double are put off over
// many batches. Quoted are medians, means of few runs, for one batch and once warm: the first passes compare.
//   export OMP_WAIT_POLICY=passive OPENBLAS_THREAD_TIMEOUT=18                 as tools/launch does
//   bench_importance --networks mlp:128,resnet18:32 --threads 2 [--allocator] [--json FILE]
//   bench_importance --networks alexnet:128 --peak exact       the memory that one kind takes, in a process of its own
#include <fmt/format.h>
#include <hwy/targets.h>
#include <sys/resource.h>
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/tool.h"
#include "mas/importance/estimator.h"
#include "median.h"
#include "networks.h"

namespace {

struct Options {
  std::vector<std::string> networks{"mlp:128", "convnet:128"};
  double seconds = 20;  // that each network is measured for, at least
  int64_t loop_samples = 8;
  int threads = 2;
  bool allocator = false;
  std::string json, peak;
};

struct Time {
  double wall, cpu;  // seconds; cpu of all threads, which other programs on the machine disturb less
};

double now(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

Time measure(const std::function<void()>& work) {
  const double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
  work();
  return {now(CLOCK_MONOTONIC) - wall, now(CLOCK_PROCESS_CPUTIME_ID) - cpu};
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "unset";
}

constexpr int kWarm = 6;     // passes after which comparisons are few
constexpr size_t kFew = 12;  // runs that have to be told by their mean: not all of them multiply what was put off

struct Kind {
  std::string name;
  std::function<void()> pass;
  std::function<void()> end = [] {};  // of a run: the sums in double
  double samples = 1;                 // that it passes over, relative to the batch
  bool compares = false;              // with the loop, in its first passes
  std::vector<double> wall{}, cpu{};

  static double typical(const std::vector<double>& times) {
    return times.size() > kFew ? mas::bench::median(times)
                               : std::accumulate(times.begin(), times.end(), 0.0) / double(times.size());
  }
  double wall_time() const { return typical(wall); }
  double cpu_time() const { return typical(cpu); }
};

std::vector<Kind> kinds_of(const mas::bench::Example& e, const Options& options) {
  const auto images = [&](at::MemoryFormat format) { return e.images() ? e.x.contiguous(format) : e.x; };
  const auto plain = [&e](const at::Tensor& x) {
    for (const auto& [name, p] : e.parameters) at::Tensor(p).mutable_grad().reset();
    at::cross_entropy_loss(e.forward(x), e.labels).backward();
  };
  const auto estimate = [&](const char* name, const mas::EstimatorOptions& with, const at::Tensor& x,
                            const at::Tensor& given = {}) {
    auto estimator = std::make_shared<mas::Estimator>(e.forward, e.parameters, with);
    return Kind{name, [estimator, x, given] { estimator->add(x, given); }, [estimator] { estimator->sum(); }, 1,
                !with.loop && !with.batch_average};
  };
  const at::Tensor usual = images(at::MemoryFormat::Contiguous), best = images(at::MemoryFormat::ChannelsLast);
  const int64_t n = e.x.size(0), few = std::min(n, options.loop_samples);
  std::vector<Kind> kinds{{"plain", [=] { plain(usual); }}};
  if (e.images()) kinds.push_back({"plain, channels last", [=] { plain(best); }});
  kinds.push_back(estimate("exact", {}, best));
  mas::EstimatorOptions fisher, batch, loop;
  fisher.method = mas::Method::kFisher;
  if (e.classes == 10) kinds.push_back(estimate("fisher", fisher, best));
  fisher.fisher = mas::Fisher::kEmpirical;
  kinds.push_back(estimate("fisher, empirical", fisher, best, e.labels));
  batch.batch_average = n;
  kinds.push_back(estimate("batch", batch, best));
  loop.loop = true;
  kinds.push_back(estimate("loop", loop, best.slice(0, 0, few)));
  kinds.back().samples = double(few) / double(n);
  return kinds;
}

mas::bench::Example parse(const std::string& text) {
  const auto colon = text.find(':');
  return mas::bench::example(text.substr(0, colon),
                             colon == std::string::npos ? 128 : std::stoll(text.substr(colon + 1)));
}

nlohmann::json compare(const std::string& name, const Options& options) {
  const auto e = parse(name);
  auto kinds = kinds_of(e, options);
  double first = 0, round = 0;  // seconds: exact's first pass, with its check, once a run; of all kinds together
  for (auto& kind : kinds) {
    const double time = measure(kind.pass).wall;
    if (kind.name == "exact") first = time;
    if (kind.compares)
      for (int i = 2; i < kWarm; i++) kind.pass();
    round += measure(kind.pass).wall;
  }
  const auto repeats = std::clamp<int64_t>(std::llround(0.5 / round), 1, 8192 / e.x.size(0));
  const auto runs = std::clamp<int64_t>(std::llround(options.seconds / (round * double(repeats))), 4, 101);
  for (int64_t run = 0; run < runs; run++)
    for (auto& kind : kinds) {
      if (kind.name == "loop" && run % 4 != 0) continue;
      const int64_t passes = kind.name == "loop" ? 1 : repeats;
      const Time t = measure([&] {
        for (int64_t i = 0; i < passes; i++) kind.pass();
      });
      kind.wall.push_back(t.wall / (kind.samples * double(passes)));
      kind.cpu.push_back(t.cpu / (kind.samples * double(passes)));
    }
  nlohmann::json row{{"network", name}, {"runs", runs}, {"first_ms", 1e3 * first}};
  for (const auto& kind : kinds) row["ms"][kind.name] = 1e3 * kind.wall_time();
  const auto best = std::min_element(kinds.begin(), kinds.begin() + (e.images() ? 2 : 1),
                                     [](const Kind& a, const Kind& b) { return a.wall_time() < b.wall_time(); });
  row["plain"] = best->name;
  for (const auto& kind : kinds) {
    row["ratio"][kind.name] = kind.wall_time() / best->wall_time();
    row["cpu_ratio"][kind.name] = kind.cpu_time() / best->cpu_time();
  }
  return row;
}

// Of this process, in MB, after a few passes of one kind and its sums.
int64_t peak(const std::string& name, const Options& options) {
  const auto e = parse(name);
  for (const auto& kind : kinds_of(e, options)) {
    if (kind.name != options.peak) continue;
    for (int i = 0; i < 6; i++) kind.pass();
    kind.end();
  }
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Time exact importance against a plain pass", "bench_importance"};
  app.add_option("--networks", options.networks, "NAME:BATCH, see networks.h")->delimiter(',');
  app.add_option("--seconds", options.seconds, "to measure each for, at least")->capture_default_str();
  app.add_option("--loop-samples", options.loop_samples)->capture_default_str();
  app.add_option("--threads", options.threads)->capture_default_str();
  app.add_flag("--allocator", options.allocator, "keep freed memory, as the tools do at the start of main");
  app.add_option("--json", options.json, "write the numbers to this file");
  app.add_option("--peak", options.peak, "plain, exact, ...: print the process's peak memory in MB instead");
  CLI11_PARSE(app, argc, argv);
  if (options.allocator) mas::tool::keep_memory();
  mas::tool::use_threads(options.threads);
  torch::manual_seed(1711);

  if (!options.peak.empty()) {
    for (const auto& name : options.networks) std::cout << peak(name, options) << "\n";
    return 0;
  }
  std::string features;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets())
    features += (features.empty() ? "" : " ") + std::string(hwy::TargetName(target));
  nlohmann::json report{{"threads", options.threads},
                        {"cpu", features},
                        {"allocator", options.allocator ? "keeps memory" : "as it comes"},
                        {"OPENBLAS_CORETYPE", variable("OPENBLAS_CORETYPE")},
                        {"OMP_WAIT_POLICY", variable("OMP_WAIT_POLICY")},
                        {"networks", nlohmann::json::array()}};
  std::cout << "threads " << options.threads << ", cpu " << features << ", allocator "
            << report["allocator"].get<std::string>() << ", OPENBLAS_CORETYPE=" << variable("OPENBLAS_CORETYPE")
            << ", OMP_WAIT_POLICY=" << variable("OMP_WAIT_POLICY") << "\n\n"
            << "| network, batch | plain, ms | exact / plain | in CPU time | fisher exact / plain | empirical | "
               "batch:N | loop "
               "| first batch, ms |\n"
            << "|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& name : options.networks) {
    const auto row = compare(name, options);
    const auto ratio = [&](const char* kind) {
      return row["ratio"].contains(kind) ? fmt::format("{:.2f}", row["ratio"][kind].get<double>()) : "";
    };
    std::cout << fmt::format("| {} | {:.2f} | {} | {:.2f} | {} | {} | {} | {} | {:.0f} |\n", name,
                             row["ms"][row["plain"].get<std::string>()].get<double>(), ratio("exact"),
                             row["cpu_ratio"]["exact"].get<double>(), ratio("fisher"), ratio("fisher, empirical"),
                             ratio("batch"), ratio("loop"), row["first_ms"].get<double>())
              << std::flush;
    report["networks"].push_back(row);
  }
  if (!options.json.empty()) std::ofstream(options.json) << report.dump(2) << "\n";
  return 0;
}
