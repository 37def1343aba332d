// What exact importance costs, next to a plain pass (batched forward + loss + backward, all weight gradients) over the
// same batch. Everything runs in turn in one process, thousands of samples at a time, because products and sums in
// double are put off over many batches; quoted are medians, and ratios of medians, for one batch.
//   OMP_WAIT_POLICY=passive bench_importance --threads 2 [--allocator] [--json FILE]
#include <hwy/targets.h>
#include <malloc.h>
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <climits>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mas/importance/estimator.h"

namespace {

namespace nn = torch::nn;

struct Options {
  std::vector<std::string> networks{"mlp", "convnet"};
  int64_t batch = 128, runs = 21, loop_samples = 8;
  int threads = 2;
  bool allocator = false;
  std::string json;
};

nn::Conv2d conv(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1, int64_t padding = 0) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(padding));
}
nn::ReLU relu() { return nn::ReLU(nn::ReLUOptions(true)); }
nn::MaxPool2d pool(int64_t kernel, int64_t stride) {
  return nn::MaxPool2d(nn::MaxPool2dOptions(kernel).stride(stride));
}

nn::Sequential network(const std::string& name) {
  if (name == "mlp")
    return nn::Sequential(nn::Flatten(), nn::Linear(784, 400), relu(), nn::Linear(400, 400), relu(),
                          nn::Linear(400, 10));
  if (name == "convnet")
    return nn::Sequential(conv(1, 32, 3), relu(), conv(32, 64, 3), relu(), pool(2, 2), nn::Flatten(),
                          nn::Linear(9216, 10));
  return nn::Sequential(conv(3, 64, 11, 4, 2), relu(), pool(3, 2), conv(64, 192, 5, 1, 2), relu(), pool(3, 2),
                        conv(192, 384, 3, 1, 1), relu(), conv(384, 256, 3, 1, 1), relu(), conv(256, 256, 3, 1, 1),
                        relu(), pool(3, 2), nn::Flatten(), nn::Linear(9216, 4096), relu(), nn::Linear(4096, 4096),
                        relu(), nn::Linear(4096, 1000));
}

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

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "unset";
}

nlohmann::json compare(const std::string& name, const Options& options) {
  auto net = network(name);
  net->eval();
  const int64_t n = options.batch;
  const auto x = name == "alexnet" ? torch::randn({n, 3, 224, 224}) : torch::rand({n, 1, 28, 28});
  const auto labels = torch::randint(0, 10, {n});
  mas::NamedTensors parameters;
  for (auto& p : net->named_parameters()) parameters[p.key()] = p.value();
  const mas::Forward forward = [&](const at::Tensor& t) { return net->forward(t); };

  mas::Estimator exact(forward, parameters);
  mas::EstimatorOptions batch_options, loop_options;
  batch_options.batch_average = n;
  loop_options.loop = true;
  mas::Estimator batched(forward, parameters, batch_options), loop(forward, parameters, loop_options);
  const int64_t few = std::min(n, options.loop_samples);
  const std::vector<std::pair<std::string, std::function<void()>>> kinds{
      {"plain pass",
       [&] {
         for (auto& p : net->parameters()) p.mutable_grad().reset();
         nn::functional::cross_entropy(net->forward(x), labels).backward();
       }},
      {"exact", [&] { exact.add(x); }},
      {"batch:" + std::to_string(n), [&] { batched.add(x); }},
      {"loop", [&] { loop.add(x.slice(0, 0, few)); }}};
  const double first = measure([&] { exact.add(x); }).wall;  // with its check, once a run
  std::vector<std::vector<double>> wall(kinds.size()), cpu(kinds.size());
  for (int64_t run = -2; run < options.runs; run++)
    for (size_t i = 0; i < kinds.size(); i++) {
      if (kinds[i].first == "loop" && run % 4 != 0) continue;
      const bool looped = kinds[i].first == "loop";
      const int64_t batches = looped ? 1 : std::max<int64_t>(1, (name == "mlp" ? 8192 : 1024) / n);
      const Time t = measure([&] {
        for (int64_t b = 0; b < batches; b++) kinds[i].second();
      });
      const double scale = looped ? double(n) / double(few) : 1.0 / double(batches);
      if (run < 0) continue;
      wall[i].push_back(t.wall * scale);
      cpu[i].push_back(t.cpu * scale);
    }
  nlohmann::json row{{"network", name}, {"batch", n}, {"first_ms", 1e3 * first}};
  for (size_t i = 0; i < kinds.size(); i++) {
    row["ms"][kinds[i].first] = 1e3 * median(wall[i]);
    row["ratio"][kinds[i].first] = median(wall[i]) / median(wall[0]);
    row["cpu_ratio"][kinds[i].first] = median(cpu[i]) / median(cpu[0]);
  }
  for (const auto& p : exact.paths()) row["paths"][p.parameter] = p.path;
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Time exact importance against a plain pass", "bench_importance"};
  app.add_option("--networks", options.networks, "mlp, convnet, alexnet")->delimiter(',');
  app.add_option("--batch", options.batch)->capture_default_str();
  app.add_option("--runs", options.runs)->capture_default_str();
  app.add_option("--loop-samples", options.loop_samples)->capture_default_str();
  app.add_option("--threads", options.threads)->capture_default_str();
  app.add_flag("--allocator", options.allocator, "keep freed memory, as the tools do at the start of main");
  app.add_option("--json", options.json, "write the numbers to this file");
  CLI11_PARSE(app, argc, argv);
  if (options.allocator) {
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_TOP_PAD, 64 << 20);
  }
  at::set_num_threads(options.threads);
  torch::manual_seed(1711);

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
            << "| network | batch | plain pass, ms | exact / plain | the same in CPU time | batch:N / plain | loop / "
               "plain | first batch, ms |\n"
            << "|---|---|---|---|---|---|---|---|\n";
  for (const auto& name : options.networks) {
    const auto row = compare(name, options);
    const std::string n = std::to_string(options.batch);
    std::cout << fmt::format("| {} | {} | {:.2f} | {:.3f} | {:.3f} | {:.3f} | {:.1f} | {:.1f} |\n", name, n,
                             row["ms"]["plain pass"].get<double>(), row["ratio"]["exact"].get<double>(),
                             row["cpu_ratio"]["exact"].get<double>(), row["ratio"]["batch:" + n].get<double>(),
                             row["ratio"]["loop"].get<double>(), row["first_ms"].get<double>())
              << std::flush;
    report["networks"].push_back(row);
  }
  if (!options.json.empty()) std::ofstream(options.json) << report.dump(2) << "\n";
  return 0;
}
