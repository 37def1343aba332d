// What the penalty costs: whole training steps (forward, loss, backward, optimiser) without and with it, in turn in one
// process, with the tools' allocator. Quoted are medians over the runs.
//   export OMP_WAIT_POLICY=passive OPENBLAS_THREAD_TIMEOUT=18                 as tools/launch does
//   bench_training --networks mlp:400,400 resnet18 --threads 2 --batch 128 [--json FILE]
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/tool.h"
#include "mas/model/architecture.h"
#include "mas/model/model.h"
#include "mas/training/optimizer.h"
#include "median.h"

namespace {

// A model that is trained on one batch over and over, with its own optimiser.
class Trained {
 public:
  Trained(const std::string& arch, const mas::Shape& input, bool penalty, mas::PenaltyStep step)
      : model_(mas::make_architecture(arch, input), 1) {
    mas::TaskRecord task;
    task.name = "a";
    task.classes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    model_.add_task(task);
    mas::NamedTensors parameters = model_.shared_parameters();
    for (const auto& [name, value] : parameters) {
      if (!penalty) continue;
      penalty_.omega[name] = torch::rand_like(value);
      penalty_.anchor[name] = value.clone();
    }
    penalty_.lambda = penalty ? 0.1 : 0;
    penalty_.step = step;
    for (const auto& [name, value] : model_.head_parameters(model_.tasks().back())) parameters["head/" + name] = value;
    for (const auto& [name, value] : parameters) value.set_requires_grad(true);
    optimizer_ = std::make_unique<mas::Optimizer>(parameters, mas::OptimizerOptions{}, penalty_);
  }

  double seconds(const at::Tensor& x, const at::Tensor& y) {
    const auto begin = std::chrono::steady_clock::now();
    at::cross_entropy_loss(model_.forward(x, model_.tasks().back()), y).backward();
    optimizer_->step();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  mas::Model model_;
  mas::Penalty penalty_;
  std::unique_ptr<mas::Optimizer> optimizer_;
};

}  // namespace

int main(int argc, char** argv) {
  int threads = 2;
  double seconds = 15;
  std::vector<std::string> networks{"mlp:400,400", "convnet"};
  int64_t batch = 128;
  std::string json;
  CLI::App app{"Time training steps with and without the penalty.", "bench_training"};
  app.add_option("--threads", threads)->capture_default_str();
  app.add_option("--networks", networks, "as in mas-train --arch");
  app.add_option("--seconds", seconds, "to measure each for, at least")->capture_default_str();
  app.add_option("--batch", batch)->capture_default_str();
  app.add_option("--json", json);
  CLI11_PARSE(app, argc, argv);
  mas::tool::keep_memory();
  mas::tool::use_threads(threads);
  auto rows = nlohmann::json::array();
  fmt::print(
      "| network | batch | plain step, ms | gradient step / plain | proximal step / plain |\n|---|---|---|---|---|\n");
  for (const auto& arch : networks) {
    const bool large = arch == "alexnet" || arch == "vgg16" || arch == "resnet18";
    const mas::Shape input = large ? mas::Shape{3, 224, 224} : mas::Shape{1, 28, 28};
    const auto x = torch::rand({batch, input[0], input[1], input[2]}), y = torch::randint(10, {batch});
    Trained plain(arch, input, false, {}), gradient(arch, input, true, mas::PenaltyStep::kGradient),
        proximal(arch, input, true, mas::PenaltyStep::kProximal);
    std::vector<double> times[3];
    for (double spent = 0; spent < seconds || times[0].size() < 5;) {
      const double t[]{plain.seconds(x, y), gradient.seconds(x, y), proximal.seconds(x, y)};
      if (spent > 0)  // the first steps set memory up
        for (int k = 0; k < 3; k++) times[k].push_back(t[k]);
      spent += t[0] + t[1] + t[2];
    }
    const double base = mas::bench::median(times[0]), a = mas::bench::median(times[1]) / base,
                 b = mas::bench::median(times[2]) / base;
    fmt::print("| {} | {} | {:.2f} | {:.3f} | {:.3f} |\n", arch, batch, 1e3 * base, a, b);
    rows.push_back({{"network", arch}, {"plain_ms", 1e3 * base}, {"gradient", a}, {"proximal", b}});
  }
  if (!json.empty())
    std::ofstream(json) << nlohmann::json{{"threads", threads}, {"batch", batch}, {"steps", rows}}.dump(2) << "\n";
}
