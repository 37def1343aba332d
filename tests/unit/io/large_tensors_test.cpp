// Where the tensors of a model file lie when it is read, and when it is written.
#include "mas/io/block.h"
#include "mas/io/model_file.h"
#include "unit/io/foreign_file.h"

namespace {

using mas::test::dataset;
using mas::test::foreign_file;

/// Tensors of the size that is aligned in a file, one of them in another order in memory, and Ω of another type.
mas::ModelFile large_model() {
  mas::ModelFile model;
  const auto numbers = torch::arange(90003, torch::kFloat);
  model.weights["odd"] = numbers;
  model.weights["turned"] = numbers.reshape({3, 30001}).t();
  model.buffers["small"] = torch::ones({3});
  for (const auto& [name, tensor] : model.weights) model.importance.sum[name] = tensor * 2;
  model.importance.count = 1;
  model.importance.method = "mas";
  model.script = "PK\x03\x04" + std::string(100000, 's');
  return model;
}

bool lies_in(mas::Block& bytes, const at::Tensor& tensor) {
  const auto* data = static_cast<const char*>(tensor.data_ptr());
  return data >= bytes.data() && data + tensor.nbytes() <= bytes.data() + bytes.size();
}

}  // namespace

TEST_CASE("large tensors come back bit for bit, aligned, whatever they were when they were written") {
  const auto model = large_model();
  const std::string bytes = mas::serialize_model(model);
  CHECK(bytes == mas::serialize_model(large_model()));
  const auto again = mas::parse_model(bytes, "x.h5");
  CHECK(torch::equal(again.weights.at("odd"), model.weights.at("odd")));
  CHECK(torch::equal(again.weights.at("turned"), model.weights.at("turned")));
  CHECK(torch::equal(again.importance.sum.at("odd"), model.importance.sum.at("odd").to(torch::kDouble)));
  CHECK(again.script == model.script);
  for (const auto& [name, tensor] : again.weights) {
    CAPTURE(name);
    CHECK(reinterpret_cast<uintptr_t>(tensor.data_ptr()) % 64 == 0);
  }
  CHECK(bytes == mas::serialize_model(again));
}

TEST_CASE("large tensors lie in the bytes that were read, and keep them") {
  auto bytes = std::make_shared<mas::Block>(mas::serialize_model(large_model()));
  const std::weak_ptr<mas::Block> kept = bytes;
  auto model = mas::parse_model(bytes, "x.h5");
  CHECK(lies_in(*bytes, model.weights.at("odd")));
  CHECK(lies_in(*bytes, model.importance.sum.at("turned")));
  CHECK_FALSE(lies_in(*bytes, model.buffers.at("small")));
  bytes.reset();
  const at::Tensor buffer = model.buffers.at("small");
  at::Tensor odd = model.weights.at("odd");
  model = {};
  CHECK(torch::equal(odd, large_model().weights.at("odd")));
  odd.reset();
  CHECK(kept.expired());
  CHECK(buffer.sum().item<float>() == 3);
}

TEST_CASE("tensors never share bytes, as links and forged addresses would have them do") {
  const std::vector<float> values(40000, 1.f);
  haddr_t one = 0, two = 0;
  std::string bytes = foreign_file([&](hid_t file) {
    dataset(file, "/weights/one", H5T_IEEE_F32LE, {40000}, values);
    dataset(file, "/weights/two", H5T_IEEE_F32LE, {40000}, values);
    H5Lcreate_hard(file, "/weights/one", file, "/weights/one too", H5P_DEFAULT, H5P_DEFAULT);
    one = H5Dget_offset(mas::hdf5::open_dataset(file, "/weights/one", "x"));
    two = H5Dget_offset(mas::hdf5::open_dataset(file, "/weights/two", "x"));
  });
  const auto address = [](haddr_t at) { return std::string(reinterpret_cast<const char*>(&at), sizeof at); };
  const size_t place = bytes.find(address(two));
  REQUIRE(place != std::string::npos);
  bytes.replace(place, sizeof two, address(one + 64));
  const auto block = std::make_shared<mas::Block>(bytes);
  auto model = mas::parse_model(block, "x.h5");
  CHECK(lies_in(*block, model.weights.at("one")));
  model.weights.at("one").fill_(2);
  CHECK(torch::equal(model.weights.at("one too"), torch::ones({40000})));
  CHECK(torch::equal(model.weights.at("two"), torch::ones({40000})));
  model.weights.at("two").fill_(3);
  CHECK(torch::equal(model.weights.at("one"), torch::full({40000}, 2.f)));
}
