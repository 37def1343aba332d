#include "mas/io/npz.h"

#include <zlib.h>

#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

namespace {

using mas::test::contains;

uint64_t number(const std::string& bytes, size_t at, int size) {
  uint64_t value = 0;
  for (int i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

struct Entry {
  std::string name, content;
};

std::string inflated(const std::string& packed, size_t size) {
  std::string result(size, '\0');
  z_stream stream{};
  inflateInit2(&stream, -15);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(size);
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  inflateEnd(&stream);
  return result;
}

/// A reader written from the zip specification alone: from the end record through the directory to each entry.
std::vector<Entry> unzip(const std::string& zip) {
  const size_t end = zip.size() - 22;
  REQUIRE(zip.substr(end, 4) == "PK\x05\x06");
  uint64_t count = number(zip, end + 10, 2), at = number(zip, end + 16, 4);
  if (at == 0xffffffff) {
    REQUIRE(zip.substr(end - 20, 4) == "PK\x06\x07");
    const uint64_t record = number(zip, end - 12, 8);
    REQUIRE(zip.substr(record, 4) == "PK\x06\x06");
    count = number(zip, record + 32, 8);
    at = number(zip, record + 48, 8);
  }
  std::vector<Entry> entries;
  for (uint64_t i = 0; i < count; ++i) {
    REQUIRE(zip.substr(at, 4) == "PK\x01\x02");
    const uint64_t method = number(zip, at + 10, 2), crc = number(zip, at + 16, 4);
    uint64_t packed = number(zip, at + 20, 4), size = number(zip, at + 24, 4), offset = number(zip, at + 42, 4);
    const uint64_t name_size = number(zip, at + 28, 2), extra_size = number(zip, at + 30, 2);
    size_t extra = at + 46 + name_size + 4;
    if (size == 0xffffffff) size = number(zip, extra, 8), extra += 8;
    if (packed == 0xffffffff) packed = number(zip, extra, 8), extra += 8;
    if (offset == 0xffffffff) offset = number(zip, extra, 8);
    REQUIRE(zip.substr(offset, 4) == "PK\x03\x04");
    const std::string name = zip.substr(at + 46, name_size);
    CHECK(zip.substr(offset + 30, name_size) == name);
    const size_t data = offset + 30 + number(zip, offset + 26, 2) + number(zip, offset + 28, 2);
    const std::string stored = zip.substr(data, packed);
    const std::string content = method == 8 ? inflated(stored, size) : stored;
    CHECK(content.size() == size);
    CHECK(crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size())) == crc);
    entries.push_back({name, content});
    at += 46 + name_size + extra_size;
  }
  return entries;
}

mas::NamedTensors some() {
  return {{"b", torch::tensor(2.5, torch::kDouble)},
          {"a.weight", torch::tensor({{1.f, 2.f}, {3.f, 4.f}})},
          {"c/d", torch::tensor({true, false, true})},
          {"e", torch::zeros({0, 3}, torch::kLong)}};
}

void check_some(const std::vector<Entry>& entries) {
  REQUIRE(entries.size() == 4);
  CHECK(entries[0].name == "a.weight.npy");
  const std::string& a = entries[0].content;
  REQUIRE(a.size() == 128 + 16);
  CHECK(a.substr(0, 10) == std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  CHECK(contains(a, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), } "));
  CHECK(a[127] == '\n');
  CHECK(number(a, 128 + 4, 4) == 0x40000000);  // 2.0
  CHECK(contains(entries[1].content, "{'descr': '<f8', 'fortran_order': False, 'shape': (), }"));
  CHECK(entries[2].name == "c/d.npy");
  CHECK(contains(entries[2].content, "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }"));
  CHECK(contains(entries[3].content, "'shape': (0, 3), }"));
}

}  // namespace

TEST_CASE("an archive holds every tensor in sorted order") { check_some(unzip(mas::serialize_npz(some()))); }

TEST_CASE("a compressed archive holds the same") {
  check_some(unzip(mas::serialize_npz(some(), {true})));
  const mas::NamedTensors flat{{"x", torch::zeros({100000})}};
  CHECK(mas::serialize_npz(flat, {true}).size() < 5000);
}

TEST_CASE("large archives use zip64") { check_some(unzip(mas::serialize_npz(some(), {false, 100}))); }

TEST_CASE("equal tensors give equal bytes, also when they are views") {
  const auto base = torch::arange(12, torch::kFloat).reshape({3, 4});
  CHECK(mas::serialize_npz({{"x", base.t()}}) == mas::serialize_npz({{"x", base.t().contiguous()}}));
}

TEST_CASE("a type that NumPy lacks is refused by name") {
  const mas::NamedTensors odd{{"x", torch::zeros({1}, torch::kBFloat16)}};
  CHECK(contains(mas::test::error_of([&] { mas::serialize_npz(odd); }), "x: NumPy has no type for BFloat16"));
}

TEST_CASE("NumPy reads the archives") {
  if (std::system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) return;
  const mas::test::Scratch scratch;
  mas::write_npz(some(), scratch / "plain.npz");
  mas::write_npz(some(), scratch / "small.npz", {true});
  mas::write_npz(some(), scratch / "wide.npz", {false, 100});
  mas::test::put(scratch / "check.py",
                 "import sys, numpy as np\n"
                 "for path in sys.argv[1:]:\n"
                 "    z = np.load(path)\n"
                 "    assert z.files == ['a.weight', 'b', 'c/d', 'e'], z.files\n"
                 "    assert z['a.weight'].dtype == np.float32 and z['a.weight'].tolist() == [[1, 2], [3, 4]]\n"
                 "    assert z['b'].dtype == np.float64 and z['b'].shape == () and z['b'] == 2.5\n"
                 "    assert z['c/d'].tolist() == [True, False, True]\n"
                 "    assert z['e'].dtype == np.int64 and z['e'].shape == (0, 3)\n");
  const std::string command = "/usr/bin/python3 " + scratch / "check.py" + " " + scratch / "plain.npz" + " " +
                              scratch / "small.npz" + " " + scratch / "wide.npz";
  CHECK(std::system(command.c_str()) == 0);
}
