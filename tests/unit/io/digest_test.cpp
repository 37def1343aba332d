#include "mas/io/digest.h"

#include "mas/io/model_file.h"
#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

namespace {

using mas::test::contains;

const std::string kSignature("\x89HDF\r\n\x1a\n", 8);

std::string fault(const std::string& bytes) {
  return mas::test::error_of([&] { mas::check_integrity(bytes, "x"); });
}

std::string sealed(const std::string& content) { return mas::user_block(content) + content; }

}  // namespace

TEST_CASE("the user block is a line of text and zeros") {
  // XXH3 128 of nothing, seed 0, from the xxHash reference (xxhsum -H2 of an empty file).
  const std::string block = mas::user_block("");
  const std::string line = "mas-model xxh3-128 99aa06d3014798d86001c324468d497f\n";
  CHECK(block == line + std::string(512 - line.size(), '\0'));
}

TEST_CASE("a sealed file is verified") {
  CHECK((mas::check_integrity(sealed(kSignature + "content"), "x") == mas::Integrity::kVerified));
}

TEST_CASE("a plain HDF5 file is unknown") {
  CHECK((mas::check_integrity(kSignature + std::string(40, '\x7f'), "x") == mas::Integrity::kUnknown));
}

TEST_CASE("edited content, a damaged block and other programs' blocks are told apart") {
  std::string bytes = sealed(kSignature + std::string(100, 'c'));
  bytes[600] ^= 1;
  CHECK(contains(fault(bytes), "x: content does not match its digest"));
  bytes[600] ^= 1;
  bytes[100] = 'x';
  CHECK(fault(bytes) == "x: damaged user block (the first 512 bytes)");
  bytes[100] = '\0';
  bytes[0] = 'M';
  CHECK(contains(fault(bytes), "x: user block isn't a mas model's"));
  CHECK(contains(fault(std::string(2048, ' ') + kSignature), "x: a user block of 2048 bytes"));
}

TEST_CASE("cut files are named as such") {
  CHECK(contains(fault(kSignature), "x: cut short"));
  CHECK(contains(fault(sealed(kSignature).substr(0, 300)), "x: cut short: 300 bytes"));
  CHECK(fault("") == "x: empty; did the command that writes it fail?");
}

TEST_CASE("likely mistakes are named") {
  CHECK(contains(fault("PK\x03\x04 model/constants.pkl"), "x: a TorchScript module"));
  CHECK(contains(fault("PK\x03\x04 archive/data.pkl\x80\x02}q"), "x: a PyTorch file"));
  CHECK(contains(fault("PK\x03\x04"), "x: a zip archive"));
  CHECK(contains(fault("\n <!DOCTYPE html><html>"), "x: an HTML page"));
  CHECK(contains(fault("version https://git-lfs.github.com/spec/v1\n"),
                 "x: a Git LFS pointer, not an HDF5 file; fetch the file"));
  CHECK(contains(fault("\x1f\x8b\x08"), "x: compressed with gzip"));
  CHECK(contains(fault(std::string("\x02\0\0\0\0\0\0\0{}\0\0", 12)), "x: a safetensors file"));
  CHECK(fault("hello") == "x: text, not an HDF5 file; did the command before it write its model elsewhere, with -o?");
  CHECK(fault("\x01hello") == "x: not an HDF5 file");
}

TEST_CASE("how much of an input is read is up to its header") {
  mas::ModelFile model;
  model.weights["w"] = torch::ones({2, 3});
  const std::string bytes = mas::serialize_model(model);
  CHECK(mas::bytes_to_read(bytes.substr(0, 4096)) == bytes.size() + 1);
  CHECK(mas::bytes_to_read(bytes.substr(512, 4096)) == bytes.size() - 512 + 1);
  CHECK(mas::bytes_to_read(std::string(4096, '\0')) == 16 << 20);
  CHECK(mas::bytes_to_read("") == 16 << 20);
}
