#include "mas/io/state_dict.h"

#include "mas/io/model_file.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

// Made by tests/fuzz/make_weights.py: the same four tensors, two of them views of one storage, in each format.
namespace {

using mas::test::contains;
using mas::test::get;

const std::string kFolder = std::string(MAS_SOURCE_DIR) + "/tests/fuzz/corpus-weights/";

std::string fault(const std::string& bytes) {
  return mas::test::error_of([&] { mas::parse_state_dict(bytes, "x"); });
}

std::string safetensors(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  bytes[1] = static_cast<char>(header.size() >> 8);
  return bytes + header + data;
}

std::string replaced(std::string bytes, const std::string& from, const std::string& to) {
  REQUIRE(contains(bytes, from));
  REQUIRE(from.size() == to.size());
  return bytes.replace(bytes.find(from), from.size(), to);
}

bool python_has(const char* modules) {
  return std::system(("/usr/bin/python3 -c 'import " + std::string(modules) + "' 2>/dev/null").c_str()) == 0;
}

void python(const std::string& script) {
  const mas::test::Scratch scratch;
  mas::test::put(scratch / "script.py", script);
  REQUIRE(std::system(("/usr/bin/python3 " + scratch / "script.py").c_str()) == 0);
}

void check_equal(const mas::NamedTensors& a, const mas::NamedTensors& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& [name, value] : a) {
    CAPTURE(name);
    REQUIRE(b.count(name) == 1);
    CHECK((value.scalar_type() == b.at(name).scalar_type()));
    CHECK(value.equal(b.at(name)));
  }
}

}  // namespace

TEST_CASE("safetensors and both formats of torch.save give the same tensors") {
  for (const char* file : {"tiny.safetensors", "tiny-zip.pt", "tiny-legacy.pt"}) {
    CAPTURE(file);
    const auto dict = mas::read_state_dict(kFolder + file);
    CHECK(dict.notices.empty());
    REQUIRE(dict.tensors.size() == 4);
    CHECK(dict.tensors.at("fc1.weight").equal(torch::tensor({{1.f, 4.f}, {2.f, 5.f}, {3.f, 6.f}})));
    CHECK(dict.tensors.at("fc1.bias").equal(torch::tensor({1.f, 2.f, 3.f})));
    CHECK(dict.tensors.at("n.num_batches_tracked").equal(torch::tensor(int64_t{7})));
    CHECK(dict.tensors.at("h").equal(torch::tensor({0.5f}).to(torch::kHalf)));
  }
}

TEST_CASE("a model file gives its weights and buffers, and the head where there is one") {
  mas::ModelFile model;
  model.weights["fc1.weight"] = torch::ones({2, 2});
  model.buffers["n.running_mean"] = torch::zeros({2});
  model.heads["a"]["bias"] = torch::ones({3});
  const auto dict = mas::parse_state_dict(mas::serialize_model(model), "x");
  CHECK(dict.tensors.size() == 3);
  CHECK(dict.tensors.at("head.bias").equal(torch::ones({3})));
  CHECK(dict.notices.empty());
  model.heads["b"]["bias"] = torch::ones({2});
  const auto two = mas::parse_state_dict(mas::serialize_model(model), "x");
  CHECK(two.tensors.size() == 2);
  CHECK(two.notices == std::vector<std::string>{"the heads of its 2 tasks are left out"});
}

TEST_CASE("files that are no weights are told what they are") {
  CHECK(fault("") == "x: empty; did the command that writes it fail?");
  CHECK(fault("hello") == "x: text, not weights (safetensors, a state dict of torch.save, or a model file)");
  CHECK(contains(fault("\x1f\x8b\x08"), "x: compressed with gzip, not weights"));
  CHECK(contains(fault("\x1f\x8b\x08"), "; unpack it with gunzip first"));
  CHECK(contains(fault("\x93NUMPY\x01"), "x: a NumPy array, not weights"));
  CHECK(contains(fault("version https://git-lfs.github.com/spec/v1\n"), "; fetch the file with git lfs pull"));
  CHECK(contains(fault("\x80\x03}q\x01."), "x: a Python pickle, not weights"));
  CHECK(contains(fault("PK\x03\x04"), "x: cut short: the zip archive has no end"));
  CHECK(contains(fault("\x89HDF\r\n\x1a\n"), "x: cut short"));
}

TEST_CASE("a safetensors file has to be sound to the last byte") {
  const auto one = [](const std::string& rest) { return "{\"a\":{\"dtype\":\"F32\"," + rest + "}}"; };
  const std::string data(8, '\0');
  CHECK(fault(safetensors(one(R"("shape":[2],"data_offsets":[0,8])"), data)) == "");
  CHECK(fault(safetensors(one(R"("shape":[2],"data_offsets":[0,8])"), data + "more")) ==
        "x: damaged: 4 bytes after the last tensor");
  CHECK(fault(safetensors(one(R"("shape":[2],"data_offsets":[0,8])"), "")) ==
        "x: a: cut short: the file ends before its last byte");
  CHECK(fault(safetensors(one(R"("shape":[2],"data_offsets":[4,12])"), data + data)) ==
        "x: a: damaged: a gap or an overlap before its bytes");
  CHECK(fault(safetensors(one(R"("shape":[3],"data_offsets":[0,8])"), data)) ==
        "x: a: damaged: 8 bytes for a tensor of 12");
  CHECK(fault(safetensors(one(R"("shape":[2],"data_offsets":[8,0])"), data)) ==
        "x: a: damaged: wrong \"data_offsets\"");
  CHECK(fault(safetensors(one(R"("shape":[-2],"data_offsets":[0,8])"), data)) == "x: a: damaged: no \"shape\"");
  for (const char* shape : {"4611686018427387904,4611686018427387904", "0,4611686018427387904,4611686018427387904"}) {
    CHECK(fault(safetensors(one(R"("shape":[)" + std::string(shape) + R"(],"data_offsets":[0,0])"), "")) ==
          "x: a: damaged: an impossible shape");
  }
  CHECK(fault(safetensors(R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})", data)) ==
        "x: a: type F8_E4M3, which isn't read");
  CHECK(fault(safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                              "b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                          data)) == "x: b: damaged: a gap or an overlap before its bytes");
  CHECK(fault(safetensors("{\"a\":[[[[[[]]]]]]}", data)) == "x: safetensors header: JSON nested deeper than 3");
  CHECK(contains(fault(safetensors("{\"a\":", data)), "x: safetensors header: not valid JSON: "));
  CHECK(fault(safetensors("{}", "")) == "x: holds no weights");
  CHECK(contains(fault(safetensors(R"({"a\u001b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", data)),
                 "x: a tensor's name has control characters: a?"));
  const std::string whole = get(kFolder + "tiny.safetensors");
  for (size_t size = 9; size < whole.size(); size++) CHECK(fault(whole.substr(0, size)) != "");
}

TEST_CASE("a zip archive has to be sound, and one of torch.save's") {
  const std::string whole = get(kFolder + "tiny-zip.pt");
  for (size_t size = 4; size < whole.size(); size += 7) CHECK(fault(whole.substr(0, size)) != "");
  CHECK(contains(fault(replaced(whole, "fc1.bias", "fc1.bios")),
                 "x: damaged: the checksum of tiny-zip/data.pkl is wrong"));
  std::string renamed = whole;
  for (size_t at = 0; (at = renamed.find("/data.pkl", at)) != std::string::npos; at++)
    renamed.replace(at, 9, "/date.pkl");
  CHECK(fault(renamed) == "x: a zip archive, but not one that torch.save wrote");
  // The directory's entry for the first storage leads to the pickle, which is longer.
  const size_t directory = whole.find("PK\x01\x02");
  const size_t second = whole.find("PK\x01\x02", directory + 1);
  std::string overlapping = whole;
  for (size_t field : {16, 20, 24, 42}) overlapping.replace(second + field, 4, whole, directory + field, 4);
  CHECK(fault(overlapping) != "");
  std::string twice = whole;
  for (size_t at = 0; (at = twice.find("tiny-zip/data/0", at)) != std::string::npos; at++) twice[at + 14] = '1';
  CHECK(fault(twice) == "x: damaged zip archive: two members are named tiny-zip/data/1");
}

TEST_CASE("a legacy file is cut or changed") {
  const std::string whole = get(kFolder + "tiny-legacy.pt");
  for (size_t size = 0; size < whole.size(); size++) CHECK(fault(whole.substr(0, size)) != "");
  const std::string bytes = replaced(whole, "torch\nHalfStorage", "torch\nByteStorage");
  for (size_t size = 0; size < bytes.size(); size++) CHECK_NOTHROW(fault(bytes.substr(0, size)));
  CHECK(
      contains(fault(replaced(whole, "torch\nHalfStorage", "torch\nHalfStoragf")), "Python object torch.HalfStoragf"));
  CHECK(contains(fault(replaced(whole, "torch\nFloatStorage", "torch\nShortStorage")), "x: "));
}

TEST_CASE(
    "what torch.save writes is read: modules' state dicts, checkpoints, DataParallel, parameters, newer protocols") {
  if (!python_has("torch")) return;
  const mas::test::Scratch scratch;
  python(
      "import torch\n"
      "torch.manual_seed(1)\n"
      "net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))\n"
      "out = '" +
      scratch / "" +
      "'\n"
      "state = net.state_dict()\n"
      "torch.save(state, out + 'plain.pt')\n"
      "torch.save(state, out + 'legacy.pt', _use_new_zipfile_serialization=False)\n"
      "torch.save(state, out + 'protocol4.pt', pickle_protocol=4)\n"
      "torch.save(dict(net.named_parameters()), out + 'parameters.pt')\n"
      "torch.save({'epoch': 3, 'best': 0.5, 'state_dict': state}, out + 'checkpoint.pt')\n"
      "torch.save({'state_dict': torch.nn.DataParallel(net).state_dict()}, out + 'parallel.pt')\n"
      "torch.save(net, out + 'module.pt')\n"
      "torch.save(net, out + 'module-legacy.pt', _use_new_zipfile_serialization=False)\n"
      "torch.save([1, 2], out + 'list.pt')\n"
      "torch.save({'a': 1}, out + 'numbers.pt')\n"
      "torch.jit.script(net).save(out + 'script.pt')\n");
  const auto plain = mas::read_state_dict(scratch / "plain.pt");
  CHECK(plain.tensors.size() == 7);
  for (const char* file : {"legacy.pt", "protocol4.pt"}) {
    CAPTURE(file);
    check_equal(mas::read_state_dict(scratch / file).tensors, plain.tensors);
  }
  const auto parameters = mas::read_state_dict(scratch / "parameters.pt").tensors;
  CHECK(parameters.size() == 4);
  CHECK(parameters.at("0.weight").equal(plain.tensors.at("0.weight")));
  const auto checkpoint = mas::read_state_dict(scratch / "checkpoint.pt");
  check_equal(checkpoint.tensors, plain.tensors);
  CHECK(checkpoint.notices == std::vector<std::string>{"weights taken from its entry \"state_dict\""});
  const auto parallel = mas::read_state_dict(scratch / "parallel.pt");
  check_equal(parallel.tensors, plain.tensors);
  CHECK(parallel.notices.size() == 2);
  CHECK(parallel.notices.back() == "\"module.\" taken off all names");
  const auto file_fault = [&](const char* file) {
    return mas::test::error_of([&] { mas::read_state_dict(scratch / file); });
  };
  CHECK(
      contains(file_fault("module.pt"), "holds the Python object torch.nn.modules.container.Sequential, and nothing"));
  CHECK(contains(file_fault("module-legacy.pt"),
                 "holds the Python object torch.nn.modules.container.Sequential, and nothing"));
  CHECK(contains(file_fault("list.pt"), "list.pt: holds something else than a dict of tensors; save weights with"));
  CHECK(contains(file_fault("numbers.pt"), "numbers.pt: a isn't a tensor; save weights with"));
  CHECK(contains(file_fault("script.pt"), "script.pt: a TorchScript module, not weights; in Python: torch.save("));
}

TEST_CASE("published files are read: the old and the new format of one network, and safetensors as Python reads them") {
  const std::string models = std::string(MAS_SHARED_DIR) + "/models/";
  if (!std::filesystem::exists(models) || !python_has("torch, numpy")) return;
  const auto onet = mas::read_state_dict(models + "mtcnn_onet_zip.pt").tensors;
  CHECK(onet.at("conv1.weight").sizes() == at::IntArrayRef({32, 3, 3, 3}));
  check_equal(mas::read_state_dict(models + "mtcnn_onet.pt").tensors, onet);
  CHECK(mas::read_state_dict(models + "mtcnn_pnet.pt").tensors.count("conv4_1.weight") == 1);
  const mas::test::Scratch scratch;
  python(
      "import json, struct, numpy, torch\n"
      "bytes = open('" +
      models +
      "silero_vad_16k.safetensors', 'rb').read()\n"
      "n, = struct.unpack('<Q', bytes[:8])\n"
      "tensors = {}\n"
      "for name, t in json.loads(bytes[8:8 + n]).items():\n"
      "    if name == '__metadata__': continue\n"
      "    begin, end = t['data_offsets']\n"
      "    values = numpy.frombuffer(bytes[8 + n + begin:8 + n + end], {'F32': '<f4', 'F16': '<f2', 'I64': "
      "'<i8'}[t['dtype']])\n"
      "    tensors[name] = torch.from_numpy(values.reshape(t['shape']).copy())\n"
      "torch.save(tensors, '" +
      scratch / "silero.pt" + "')\n");
  const auto silero = mas::read_state_dict(models + "silero_vad_16k.safetensors").tensors;
  CHECK(silero.size() > 5);
  check_equal(silero, mas::read_state_dict(scratch / "silero.pt").tensors);
}
