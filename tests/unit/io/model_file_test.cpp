#include "mas/io/model_file.h"

#include <functional>

#include "mas/error.h"
#include "mas/io/digest.h"
#include "mas/io/hdf5.h"
#include "unit/doctest_torch.h"
#include "unit/io/foreign_file.h"
#include "unit/io/scratch.h"

namespace {

using mas::test::attribute;
using mas::test::contains;
using mas::test::dataset;
using mas::test::error_of;
using mas::test::foreign_file;
using mas::test::group;
using mas::test::Scratch;
using mas::test::variable_attribute;

mas::ModelFile small_model() {
  mas::ModelFile model;
  model.arch = {{"kind", "mlp"}, {"widths", {3, 2}}};
  model.script = std::string("PK\x03\x04\0script", 11);
  model.weights["layers.0.weight"] = torch::tensor({{1.5f, -2.f, 0.f}, {-0.f, 4.f, 1e-40f}});
  model.weights["layers.0.bias"] = torch::tensor({0.1, 0.2}, torch::kDouble);
  model.buffers["bn.num_batches_tracked"] = torch::tensor(7, torch::kLong);
  model.buffers["mask"] = torch::tensor({true, false}, torch::kBool);
  model.heads["low"]["fc.weight"] = torch::ones({2, 2});
  model.encoders["low"]["bias"] = torch::full({1}, 0.5f);
  model.importance.closed["layers.0.weight"] = torch::full({2, 3}, 0.25f);
  model.importance.anchor["layers.0.weight"] = torch::full({2, 3}, -1.5f);
  model.importance.sum["layers.0.weight"] = torch::full({2, 3}, 3.0, torch::kDouble);
  model.importance.count = 12;
  model.importance.tasks = 1;
  model.importance.closed_tasks = 1;
  model.importance.method = "mas";
  model.importance.estimator = "per-sample";
  model.importance.combine = "sum";
  model.tasks = {{{"name", "lów"}, {"seed", 1}}};
  model.results = {{{"accuracy", {0.5, nullptr}}}};
  model.optimizer["anchor/layers.0.weight"] = torch::zeros({2, 3});
  model.optimizer["step"] = torch::tensor(3, torch::kLong);
  model.progress = {{"epoch", 2}};
  return model;
}

void check_equal(const mas::NamedTensors& a, const mas::NamedTensors& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& [name, tensor] : a) {
    CAPTURE(name);
    REQUIRE(b.count(name) == 1);
    const auto& other = b.at(name);
    CHECK((other.scalar_type() == tensor.scalar_type()));
    REQUIRE(other.sizes() == tensor.sizes());
    CHECK(std::memcmp(other.data_ptr(), tensor.data_ptr(), tensor.nbytes()) == 0);
  }
}

void check_equal(const mas::ModelFile& a, const mas::ModelFile& b) {
  CHECK(a.arch == b.arch);
  CHECK(a.script == b.script);
  check_equal(a.weights, b.weights);
  check_equal(a.buffers, b.buffers);
  REQUIRE(a.heads.size() == b.heads.size());
  for (const auto& [task, head] : a.heads) check_equal(head, b.heads.at(task));
  REQUIRE(a.encoders.size() == b.encoders.size());
  for (const auto& [task, encoder] : a.encoders) check_equal(encoder, b.encoders.at(task));
  check_equal(a.importance.closed, b.importance.closed);
  check_equal(a.importance.anchor, b.importance.anchor);
  check_equal(a.importance.sum, b.importance.sum);
  CHECK(a.importance.count == b.importance.count);
  CHECK(a.importance.tasks == b.importance.tasks);
  CHECK(a.importance.closed_tasks == b.importance.closed_tasks);
  CHECK(a.importance.method == b.importance.method);
  CHECK(a.importance.estimator == b.importance.estimator);
  CHECK(a.importance.combine == b.importance.combine);
  CHECK(a.tasks == b.tasks);
  CHECK(a.results == b.results);
  check_equal(a.optimizer, b.optimizer);
  CHECK(a.progress == b.progress);
  CHECK(a.format_minor == b.format_minor);
}

std::string refusal(const std::function<void(hid_t)>& more) {
  const std::string bytes = foreign_file(more);
  return error_of([&] { mas::parse_model(bytes, "x.h5"); });
}

}  // namespace

TEST_CASE("a model comes back bit for bit") {
  const auto model = small_model();
  const std::string bytes = mas::serialize_model(model);
  check_equal(model, mas::parse_model(bytes, "x.h5"));
}

TEST_CASE("equal models give equal bytes, whatever became of them in between") {
  const std::string bytes = mas::serialize_model(small_model());
  CHECK(bytes == mas::serialize_model(small_model()));
  CHECK(bytes == mas::serialize_model(mas::parse_model(bytes, "x.h5")));
}

TEST_CASE("a model goes through a file") {
  const Scratch scratch;
  mas::write_model(small_model(), scratch / "model.h5");
  check_equal(small_model(), mas::read_model(scratch / "model.h5"));
  CHECK(scratch.files() == 1);
}

TEST_CASE("any byte that changes is noticed") {
  const std::string bytes = mas::serialize_model(small_model());
  REQUIRE(bytes.size() < 100000);
  size_t unnoticed = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ (1 << (i % 8)));
    if (error_of([&] { mas::parse_model(changed, "x.h5"); }).empty()) ++unnoticed;
  }
  CHECK(unnoticed == 0);
}

TEST_CASE("a file cut anywhere is refused") {
  const std::string bytes = mas::serialize_model(small_model());
  const size_t step = 61;
  for (size_t size = 0; size < bytes.size(); size += step) {
    CAPTURE(size);
    CHECK_FALSE(error_of([&] { mas::parse_model(bytes.substr(0, size), "x.h5"); }).empty());
  }
  CHECK(contains(error_of([&] { mas::parse_model(bytes.substr(0, 3000), "x.h5"); }), "x.h5: cut short: 3000 of "));
}

TEST_CASE("a long architecture and many tasks fit") {
  auto model = small_model();
  model.arch["note"] = std::string(1 << 20, 'x');
  for (int i = 0; i < 3000; ++i) model.tasks.push_back({{"name", "task " + std::to_string(i)}});
  const auto read = mas::parse_model(mas::serialize_model(model), "x.h5");
  CHECK(read.arch == model.arch);
  CHECK(read.tasks == model.tasks);
}

TEST_CASE("many parameters, and tensors without elements, come back") {
  mas::ModelFile model;
  for (int i = 0; i < 2000; ++i)
    model.weights["layers." + std::to_string(i) + ".weight"] = torch::full({3}, static_cast<float>(i));
  model.buffers["empty"] = torch::zeros({0, 4});
  check_equal(model, mas::parse_model(mas::serialize_model(model), "x.h5"));
}

TEST_CASE("a file of another program is read, big-endian numbers and variable strings included") {
  const auto model = mas::parse_model(foreign_file(), "x.h5");
  CHECK(torch::equal(model.weights.at("fc.weight"), torch::tensor({{1.f, 2.f}, {3.f, 4.f}})));
  CHECK(model.unknown == nullptr);
}

TEST_CASE("a compressed data set is read") {
  const auto model =
      mas::parse_model(foreign_file([](hid_t file) {
                         const mas::hdf5::Handle list(H5Pcreate(H5P_DATASET_CREATE));
                         const hsize_t chunk = 100;
                         H5Pset_chunk(list, 1, &chunk);
                         H5Pset_shuffle(list);
                         H5Pset_deflate(list, 6);
                         dataset(file, "/weights/zip", H5T_IEEE_F32LE, {1000}, std::vector<float>(1000, 3.f), list);
                       }),
                       "x.h5");
  CHECK(torch::equal(model.weights.at("zip"), torch::full({1000}, 3.f)));
}

TEST_CASE("a plain copy without the user block reads the same") {
  const std::string bytes = mas::serialize_model(small_model());
  check_equal(small_model(), mas::parse_model(bytes.substr(mas::kUserBlock), "x.h5"));
}

TEST_CASE("unknown content passes through unchanged") {
  const std::string foreign = foreign_file([](hid_t file) {
    attribute(file, "licence", "CC0");
    variable_attribute(file, "author", "someone");
    const auto notes = group(file, "/notes");
    attribute(notes, "language", "en");
    dataset(file, "/notes/data", H5T_IEEE_F64BE, {3}, {1, 2, 3});
    H5Lcreate_soft("/weights/fc.weight", notes, "favourite", H5P_DEFAULT, H5P_DEFAULT);
    const mas::hdf5::Handle weight(H5Dopen2(file, "/weights/fc.weight", H5P_DEFAULT));
    attribute(weight, "unit", "1");
    const mas::hdf5::Handle committed(H5Tcopy(H5T_NATIVE_INT));
    H5Tcommit2(file, "/a type", committed, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const mas::hdf5::Handle space(H5Screate(H5S_SCALAR));
    const mas::hdf5::Handle typed(H5Acreate2(weight, "typed", committed, space, H5P_DEFAULT, H5P_DEFAULT));
    const int seven = 7;
    H5Awrite(typed, H5T_NATIVE_INT, &seven);
    const mas::hdf5::Handle importance = group(file, "/importance");
    dataset(file, "/importance/extra", H5T_IEEE_F32LE, {1}, {9});
    dataset(file, "/importance/closed", H5T_IEEE_F32LE, {1}, {9});
    H5Ldelete(file, "/importance/closed", H5P_DEFAULT);
  });
  auto model = mas::parse_model(foreign, "x.h5");
  REQUIRE(model.unknown != nullptr);
  model.importance.closed["fc.weight"] = torch::ones({2, 2});
  model.importance.closed_tasks = 1;
  model.importance.method = "mas";
  const std::string first = mas::serialize_model(model);
  const std::string second = mas::serialize_model(mas::parse_model(first, "x.h5"));
  CHECK(first == second);

  const auto file = mas::hdf5::open_image(second, "x.h5");
  for (const char* path : {"notes", "notes/data", "notes/favourite", "a type", "importance/extra"}) {
    CAPTURE(path);
    CHECK(mas::hdf5::exists(file, path));
  }
  CHECK((H5Aexists(file, "licence") > 0));
  CHECK((H5Aexists_by_name(file, "weights/fc.weight", "unit", H5P_DEFAULT) > 0));
  const mas::hdf5::Handle author(H5Aopen(file, "author", H5P_DEFAULT));
  CHECK(mas::hdf5::read_text(author, 1000, "author", "x.h5") == "someone");
  const mas::hdf5::Handle typed(H5Aopen_by_name(file, "weights/fc.weight", "typed", H5P_DEFAULT, H5P_DEFAULT));
  int seven = 0;
  H5Aread(typed, H5T_NATIVE_INT, &seven);
  CHECK(seven == 7);
  const mas::hdf5::Handle data(H5Dopen2(file, "/notes/data", H5P_DEFAULT));
  CHECK(torch::equal(mas::hdf5::read_tensor(data, "/notes/data", "x.h5"), torch::tensor({1., 2., 3.}, torch::kDouble)));
}

TEST_CASE("unknown content of a part that is gone goes with it") {
  auto model = mas::parse_model(foreign_file([](hid_t file) {
                                  const mas::hdf5::Handle weight(H5Dopen2(file, "/weights/fc.weight", H5P_DEFAULT));
                                  attribute(weight, "unit", "1");
                                }),
                                "x.h5");
  model.weights = {{"other", torch::ones({1})}};
  CHECK(mas::parse_model(mas::serialize_model(model), "x.h5").unknown == nullptr);
}

TEST_CASE("a later minor version is kept, a later major version refused") {
  const auto model = mas::parse_model(foreign_file({}, "1.7"), "x.h5");
  CHECK(model.format_minor == 7);
  CHECK(mas::parse_model(mas::serialize_model(model), "x.h5").format_minor == 7);
  CHECK(error_of([] { mas::parse_model(foreign_file({}, "2.1"), "x.h5"); }) ==
        "x.h5: format version 2.1 is newer than this program reads (1); update mas");
  CHECK(contains(error_of([] { mas::parse_model(foreign_file({}, "one"), "x.h5"); }), "expected MAJOR.MINOR"));
}

TEST_CASE("HDF5 files that are no models are named as such") {
  CHECK(contains(error_of([] { mas::parse_model(foreign_file({}, "1.0", "other"), "x.h5"); }),
                 "x.h5: not a mas model: format \"other\""));
  CHECK(contains(error_of([] { mas::parse_model(foreign_file({}, "1.0", ""), "x.h5"); }), "x.h5: not a mas model"));
  CHECK(contains(refusal([](hid_t file) { H5Ldelete(file, "/weights/fc.weight", H5P_DEFAULT); }), "x.h5: no weights"));
  CHECK(contains(refusal([](hid_t file) { H5Ldelete(file, "/weights", H5P_DEFAULT); }), "x.h5: no weights"));
}

TEST_CASE("what could reach outside the file is refused by name") {
  CHECK(refusal([](hid_t file) { H5Lcreate_external("/etc/x.h5", "/", file, "out", H5P_DEFAULT, H5P_DEFAULT); }) ==
        "x.h5: /out: a link to another file, refused");
  CHECK(contains(refusal([](hid_t file) {
                   const mas::hdf5::Handle list(H5Pcreate(H5P_DATASET_CREATE));
                   H5Pset_external(list, "/etc/passwd", 0, 16);
                   dataset(file, "/weights/out", H5T_IEEE_F32LE, {4}, {}, list);
                 }),
                 "x.h5: /weights/out: its data lie in another file"));
  CHECK(contains(refusal([](hid_t file) {
                   const hsize_t size = 4;
                   const mas::hdf5::Handle list(H5Pcreate(H5P_DATASET_CREATE)),
                       space(H5Screate_simple(1, &size, nullptr));
                   H5Pset_virtual(list, space, "other.h5", "/data", space);
                   const auto notes = group(file, "/notes");
                   dataset(file, "/notes/out", H5T_IEEE_F32LE, {4}, {}, list);
                 }),
                 "x.h5: /notes/out: a virtual data set"));
  CHECK(contains(refusal([](hid_t file) {
                   const mas::hdf5::Handle list(H5Pcreate(H5P_DATASET_CREATE));
                   const hsize_t chunk = 4;
                   H5Pset_chunk(list, 1, &chunk);
                   H5Pset_filter(list, 32001, H5Z_FLAG_OPTIONAL, 0, nullptr);
                   dataset(file, "/weights/blosc", H5T_IEEE_F32LE, {4}, {}, list);
                 }),
                 "x.h5: /weights/blosc: filter 32001 refused"));
}

TEST_CASE("a data set that claims more than the file has is refused before memory is taken") {
  CHECK(contains(refusal([](hid_t file) { dataset(file, "/weights/huge", H5T_IEEE_F32LE, {1ULL << 40}, {}); }),
                 "x.h5: /weights/huge: claims 4398046511104 bytes, but the file has "));
  CHECK(contains(refusal([](hid_t file) {
                   dataset(file, "/weights/huge", H5T_IEEE_F32LE, {1ULL << 62, 4}, {});
                 }),
                 "x.h5: /weights/huge: impossible shape"));
  CHECK(contains(refusal([](hid_t file) {
                   const mas::hdf5::Handle list(H5Pcreate(H5P_DATASET_CREATE));
                   const hsize_t chunk = 1024;
                   H5Pset_chunk(list, 1, &chunk);
                   H5Pset_deflate(list, 6);
                   dataset(file, "/weights/bomb", H5T_IEEE_F32LE, {1ULL << 40}, {}, list);
                 }),
                 "x.h5: /weights/bomb: claims "));
}

TEST_CASE("tensors of other types are refused by name") {
  CHECK(refusal([](hid_t file) {
          dataset(file, "/weights/int", H5T_STD_I32LE, {2}, {1, 2});
        }) == "x.h5: /weights/int: int32, expected float32 or float64");
  CHECK(contains(refusal([](hid_t file) {
                   const mas::hdf5::Handle half(H5Tcopy(H5T_IEEE_F32LE));
                   H5Tset_fields(half, 15, 10, 5, 0, 10);
                   H5Tset_size(half, 2);
                   H5Tset_ebias(half, 15);
                   dataset(file, "/weights/half", half, {2}, {1, 2});
                 }),
                 "x.h5: /weights/half: float16, expected"));
}

TEST_CASE("cycles of groups and broken soft links do no harm") {
  const auto model = mas::parse_model(foreign_file([](hid_t file) {
                                        const auto loop = group(file, "/loop");
                                        H5Lcreate_hard(file, "/loop", loop, "self", H5P_DEFAULT, H5P_DEFAULT);
                                        H5Lcreate_soft("/nowhere", file, "dangling", H5P_DEFAULT, H5P_DEFAULT);
                                        H5Lcreate_soft("/nowhere", file, "/weights/dangling", H5P_DEFAULT, H5P_DEFAULT);
                                      }),
                                      "x.h5");
  const std::string first = mas::serialize_model(model);
  CHECK(first == mas::serialize_model(mas::parse_model(first, "x.h5")));
}

TEST_CASE("names that HDF5 would take for paths are refused") {
  auto model = small_model();
  model.weights["a/b"] = torch::ones({1});
  CHECK(contains(error_of([&] { mas::serialize_model(model); }), "must not be empty or \".\" nor contain '/'"));
  model = small_model();
  model.heads["a/b"]["x"] = torch::ones({1});
  const Scratch scratch;
  CHECK(contains(error_of([&] { mas::write_model(model, scratch / "m.h5"); }), "m.h5: /heads: a name"));
  CHECK(scratch.files() == 0);
}

TEST_CASE("a fault in the file names the file and a program's own arch too deep is refused") {
  CHECK(contains(refusal([](hid_t file) { attribute(file, "arch", std::string(100000 / 2, '[').substr(0, 60000)); }),
                 "x.h5: attribute arch: JSON nested deeper"));
  CHECK(
      contains(refusal([](hid_t file) { attribute(file, "arch", "{oops"); }), "x.h5: attribute arch: not valid JSON"));
}

TEST_CASE("a damaged file with a right digest is an Error or a model, and nothing worse") {
  mas::ModelFile model;
  model.arch = {{"name", "x"}};
  model.weights["w"] = at::ones({2, 3});
  const std::string sound = mas::serialize_model(model);
  int refused = 0;
  for (size_t at = mas::kUserBlock + 8; at < sound.size() && at < mas::kUserBlock + 2048; at += 41) {
    std::string content = sound.substr(mas::kUserBlock);
    content[at - mas::kUserBlock] = static_cast<char>(content[at - mas::kUserBlock] ^ 0xff);
    const std::string forged = mas::user_block(content) + content;
    refused += !mas::test::error_of([&] { mas::parse_model(forged, "m.h5"); }).empty();
  }
  CHECK(refused > 10);
}
