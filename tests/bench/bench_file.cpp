// What a model file costs, next to cp: writing and reading VGG-16 with its importance, in turn with a copy of that
// file.
//   bench_file --folder /dev/shm [--network vgg16] [--runs 5] [--threads 2] [--json FILE]
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/tool.h"
#include "mas/model/architecture.h"
#include "mas/model/model.h"
#include "median.h"

namespace {

double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

mas::ModelFile with_importance(const std::string& network) {
  mas::Model model(mas::make_architecture(network, {3, 224, 224}), 1);
  mas::TaskRecord task;
  task.name = "a";
  task.classes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  model.add_task(task);
  mas::ModelFile file = model.file;
  file.importance.method = "mas";
  file.importance.estimator = "per-sample";
  file.importance.combine = "sum";
  file.importance.tasks = 1;
  file.importance.count = 1000;
  for (const auto& [name, value] : file.weights) file.importance.sum[name] = torch::rand(value.sizes(), at::kDouble);
  return file;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = ".", network = "vgg16", json;
  int runs = 5, threads = 2;
  CLI::App app{"Time a model file's writing and reading against cp", "bench_file"};
  app.add_option("--folder", folder, "where files are written")->capture_default_str();
  app.add_option("--network", network)->capture_default_str();
  app.add_option("--runs", runs)->capture_default_str();
  app.add_option("--threads", threads)->capture_default_str();
  app.add_option("--json", json);
  CLI11_PARSE(app, argc, argv);
  mas::tool::keep_memory();
  mas::tool::use_threads(threads);
  const mas::ModelFile model = with_importance(network);
  const std::string file = folder + "/bench-model.h5", copy = folder + "/bench-copy.h5";
  const std::string cp = "cp '" + file + "' '" + copy + "'";
  std::vector<double> write, read, copied;
  for (int i = 0; i < runs; i++) {
    write.push_back(seconds([&] { mas::write_model(model, file); }));
    read.push_back(seconds([&] { mas::read_model(file); }));
    copied.push_back(seconds([&] {
      if (std::system(cp.c_str())) std::exit(1);
    }));
  }
  const double megabytes = double(std::filesystem::file_size(file)) / 1e6;
  std::filesystem::remove(file);
  std::filesystem::remove(copy);
  using mas::bench::median;
  const double w = median(write), r = median(read), c = median(copied);
  fmt::print("{}, {:.0f} MB: write {:.2f} s, read {:.2f} s, cp {:.2f} s; cp / (write + read) {:.2f}\n", network,
             megabytes, w, r, c, c / (w + r));
  if (!json.empty())
    std::ofstream(json)
        << nlohmann::json{{"network", network}, {"mb", megabytes}, {"write_s", w}, {"read_s", r}, {"cp_s", c}}.dump(2)
        << "\n";
}
