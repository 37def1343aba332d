#include "mas/importance/memory.h"

#include "mas/error.h"
#include "mas/importance/estimator.h"
#include "unit/importance/networks.h"

using namespace mas;
using namespace mas::test;
namespace nn = torch::nn;

TEST_CASE("sizes in bytes are read with their units") {
  CHECK(parse_bytes("1", "--memory") == 1);
  CHECK(parse_bytes("500M", "--memory") == int64_t{500} << 20);
  CHECK(parse_bytes("4G", "--memory") == int64_t{4} << 30);
  for (const auto* wrong : {"", "G", "0", "-1", "4g", "4GB", "1.5G", "99999999999T", "4 G"})
    CHECK_THROWS_AS(parse_bytes(wrong, "--memory"), UsageError);
  CHECK(free_memory() > 0);
  CHECK(resident_memory() > 1 << 20);
}

TEST_CASE("what the parameters' importance takes isn't there for passes") {
  const NamedTensors parameters{{"w", torch::zeros({100, 100})}};
  CHECK(memory_of_passes(1000000, parameters) < 1000000);
  CHECK(memory_of_passes(1000000, parameters) > 0);
  CHECK_THROWS_WITH_AS(memory_of_passes(100000, parameters), doctest::Contains("too little"), UsageError);
}

TEST_CASE("a memory bound makes parts smaller and leaves the importance as it is") {
  torch::manual_seed(31);
  nn::Sequential net(nn::Conv2d(1, 4, 3), nn::ReLU(), nn::Flatten(), nn::Linear(4 * 36, 3));
  const auto x = torch::randn({40, 1, 8, 8});
  const Forward forward = [=](const at::Tensor& t) mutable { return net->forward(t); };
  EstimatorOptions tight;
  tight.memory = 10000;  // a sample computes 291 values, kept once and once more as gradients
  Estimator bounded(forward, parameters(*net), tight), free(forward, parameters(*net));
  CHECK(bounded.part_size(x) == 4);
  CHECK(free.part_size(x) > 1000);
  CHECK(error(test::estimate(bounded, x, 40), test::estimate(free, x, 40)) < 1e-5);
  tight.memory = 1;
  CHECK(Estimator(forward, parameters(*net), tight).part_size(x) == 1);
}
