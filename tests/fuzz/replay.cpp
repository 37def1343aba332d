#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

void run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

/// One of: a few bits flipped, a few bytes replaced, a block of zeros, a block of 0xff, a cut, a block copied
/// elsewhere.
std::string mutate(std::string bytes, std::mt19937& random) {
  const auto below = [&](size_t n) { return n == 0 ? 0 : random() % n; };
  constexpr size_t kBlock = 64;
  const size_t at = below(bytes.size()), length = std::min(1 + below(kBlock), bytes.size() - at);
  switch (below(6)) {
    case 0:
      for (size_t i = 0; i <= below(4); ++i) bytes[below(bytes.size())] ^= static_cast<char>(1 << below(8));
      break;
    case 1:
      for (size_t i = 0; i <= below(8); ++i) bytes[below(bytes.size())] = static_cast<char>(random());
      break;
    case 2:
      std::fill_n(bytes.begin() + at, length, '\0');
      break;
    case 3:
      std::fill_n(bytes.begin() + at, length, '\xff');
      break;
    case 4:
      bytes.resize(at);
      break;
    default: {
      const std::string block = bytes.substr(at, length);
      bytes.replace(below(bytes.size() - length + 1), length, block);
    }
  }
  return bytes;
}

std::vector<std::string> files(const std::string& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

/// [--skip BYTES] [--mutations N] [--seed S] FILE-OR-DIRECTORY...: replays each file, then N mutations of it without
/// its first BYTES bytes.
int main(int argc, char** argv) {
  size_t skip = 0, mutations = 0, seed = 1, inputs = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    size_t* option = argument == "--skip"        ? &skip
                     : argument == "--mutations" ? &mutations
                     : argument == "--seed"      ? &seed
                                                 : nullptr;
    if (option && i + 1 < argc) {
      *option = std::strtoull(argv[++i], nullptr, 10);
      continue;
    }
    for (const std::string& path : files(argument)) {
      std::ifstream file(path, std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      if (!file || bytes.size() <= skip) {
        std::fprintf(stderr, "%s: no input\n", path.c_str());
        return 1;
      }
      run(bytes);
      std::mt19937 random(static_cast<uint32_t>(seed));
      for (size_t n = 0; n < mutations; ++n) run(mutate(bytes.substr(skip), random));
      inputs += 1 + mutations;
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%zu inputs in %.1f s\n", inputs, seconds.count());
  return inputs == 0;
}
