// What pictures cost a training: images a second of decoding alone, of the network's steps alone, and of both together,
// as mas-train has them, and how long a step waits for its images. The pictures are JPEGs of its own, or those of
// --data.
//   export OMP_WAIT_POLICY=passive OPENBLAS_THREAD_TIMEOUT=18                 as tools/launch does
//   bench_loading --network alexnet --threads 2 --batch 32 [--data SPEC] [--augment HOW] [--cache]
#include <stdlib.h>

#include <cstdio>  // before jpeglib.h

#include <fmt/format.h>
#include <jpeglib.h>
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>

#include "common/tool.h"
#include "mas/data/loader.h"
#include "mas/error.h"
#include "mas/gradients.h"
#include "mas/model/architecture.h"
#include "mas/model/model.h"
#include "mas/training/optimizer.h"

namespace {

namespace fs = std::filesystem;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// A smooth picture with some noise: about as many bytes as a photo of that size.
void write_jpeg(const std::string& path, int width, int height) {
  const auto coarse = torch::rand({1, 3, height / 16, width / 16}) * 200 + torch::rand({1, 3, 1, 1}) * 40;
  const auto smooth = at::upsample_bilinear2d(coarse, {height, width}, false)[0] + 6 * torch::randn({3, height, width});
  const auto pixels = smooth.clamp(0, 255).to(at::kByte).permute({1, 2, 0}).contiguous();
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) throw std::runtime_error(path);
  jpeg_error_mgr errors;
  jpeg_compress_struct info;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  jpeg_stdio_dest(&info, file);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 90, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = pixels.data_ptr<uint8_t>() + static_cast<int64_t>(info.next_scanline) * width * 3;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::fclose(file);
}

class Folder {
 public:
  Folder() : path_("/tmp/mas-bench-XXXXXX") {
    if (!mkdtemp(path_.data())) throw std::runtime_error(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

int main(int argc, char** argv) {
  int threads = 2, pictures = 640;
  int64_t batch = 32;
  std::string network = "alexnet", data, augment;
  bool cache = false;
  CLI::App app{"Time training on pictures.", "bench_loading"};
  app.add_option("--threads", threads)->capture_default_str();
  app.add_option("--network", network, "as in mas-train --arch")->capture_default_str();
  app.add_option("--batch", batch)->capture_default_str();
  app.add_option("--pictures", pictures, "to make, of 320 x 256 pixels")->capture_default_str();
  app.add_option("--data", data, "labelled pictures of 3 x 224 x 224 as they come, in place of made ones");
  app.add_option("--augment", augment, "as in mas-train");
  app.add_flag("--cache", cache, "keep them decoded");
  CLI11_PARSE(app, argc, argv);
  mas::tool::keep_memory();
  mas::tool::use_threads(threads);
  const Folder folder;
  if (data.empty()) {
    for (int i = 0; i < pictures; ++i) {
      const fs::path place = fs::path(folder.path()) / "data" / std::to_string(i % 10);
      fs::create_directories(place);
      write_jpeg((place / fmt::format("{:05}.jpg", i)).string(), 320, 256);
    }
    data = folder.path() + "/data,size=256,crop=224,normalize=imagenet";
    if (cache) data += ",cache=" + folder.path() + "/cache.h5";
  }
  const auto set = mas::open_dataset(mas::DataSpec::parse(data), {});
  mas::LoaderOptions options;
  options.batch_size = batch;
  options.shuffle = true;
  if (!augment.empty()) options.augment = mas::Augmentation::parse(augment);

  mas::Model model(mas::make_architecture(network, set->sample_shape()), 1);
  mas::TaskRecord task;
  task.name = "a";
  task.classes = set->classes();
  model.add_task(task);
  mas::NamedTensors parameters = model.shared_parameters();
  for (const auto& [name, value] : model.head_parameters(task)) parameters["heads/a/" + name] = value;
  const mas::GradientsOn gradients(parameters);
  mas::OptimizerOptions sgd;
  sgd.kind = mas::OptimizerOptions::Kind::kSgd;
  sgd.lr = 1e-4;
  mas::Optimizer optimizer(parameters, sgd, {});
  model.train(true);
  const auto step = [&](const mas::Batch& b) {
    at::cross_entropy_loss(model.forward(b.images, task), model.targets(b.labels, task)).backward();
    optimizer.step();
  };

  // A pass each, in turn, twice: the first sets memory up. Waiting is what a step spends in next().
  double decoded = 0, trained = 0, both = 0, waited = 0;
  const auto images = static_cast<double>(set->size());
  if (set->size() < batch) throw mas::Error(data, "fewer pictures than a batch");
  for (int pass = 0; pass < 2; ++pass) {
    double begin = now();
    mas::Batch batch_now, kept;
    {
      mas::Loader loader(*set, options);
      while (loader.next(batch_now)) kept = batch_now.images.size(0) == batch ? batch_now : kept;
    }
    decoded = now() - begin;
    begin = now();
    const int64_t steps = (set->size() + batch - 1) / batch;
    for (int64_t i = 0; i < steps; ++i) step(kept);
    trained = (now() - begin) * images / static_cast<double>(steps * batch);
    begin = now();
    waited = 0;
    mas::Loader loader(*set, options);
    for (;;) {
      const double asked = now();
      if (!loader.next(batch_now)) break;
      waited += now() - asked;
      step(batch_now);
    }
    both = now() - begin;
  }
  const double bound = std::max(decoded, trained);
  fmt::print(
      "| network | batch | threads | reading, images/s | steps, images/s | both, images/s | of the slower | waiting |\n"
      "|---|---|---|---|---|---|---|---|\n");
  fmt::print("| {} | {} | {} | {:.0f} | {:.1f} | {:.1f} | {:.3f} | {:.1f} % |\n", network, batch, threads,
             images / decoded, images / trained, images / both, bound / both, 100 * waited / both);
}
