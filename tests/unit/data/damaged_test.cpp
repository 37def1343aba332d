// Each file of ../shared/datasets/damaged gets what its EXPECTED.tsv says.
#include <string>

#include "unit/data/data_files.h"
#include "unit/doctest_torch.h"

using namespace data_test;

namespace {

const std::string kDamaged = kSets + "damaged/";

bool present() {
  const bool there = std::filesystem::exists(kDamaged);
  if (!there) MESSAGE("skipped: no " << kDamaged);
  return there;
}

}  // namespace

TEST_CASE("damaged files are refused with their name and what is wrong") {
  if (!present()) return;
  const std::pair<const char*, const char*> kExpected[] = {
      {"labels-truncated-idx1-ubyte.gz", "the gzip stream ends early"},
      {"labels-bad-crc-idx1-ubyte.gz", "checksum"},
      {"lfs-pointer-images-idx3-ubyte.gz", "not gzip and not idx: a Git LFS pointer"},
      {"html-page-images-idx3-ubyte.gz", "not gzip and not idx: a web page"},
      {"empty-images-idx3-ubyte", "empty file"},
      {"header-only-images-idx3-ubyte", "too short: the idx header says 10000 x 28 x 28"},
      {"short-images-idx3-ubyte", "too short"},
      {"claims-60000-images-idx3-ubyte", "too short: the idx header says 60000 x 28 x 28"},
      {"claims-4294967295-images-idx3-ubyte", "too short: the idx header says 4294967295 x 28 x 28"},
      {"size-product-overflow-images-idx3-ubyte", "too short: the idx header says 65536 x 65536 x 65536"},
      {"zero-rows-images-idx3-ubyte", "empty: the idx header says 100 x 0 x 28"},
      {"wrong-magic-images-idx3-ubyte", "magic number 2050"},
      {"little-endian-images-idx3-ubyte", "magic number: little-endian"},
      {"extra-bytes-images-idx3-ubyte", "3 bytes too many"},
      {"cifar-cut.bin", "no multiple of 3073"},
      {"cifar-label-10.bin", "record 2 has label 10, out of range"},
      {"optdigits-short-row.csv", "line 6 has 62 columns"},
      {"optdigits-text.csv", "line 6, column"},
      {"optdigits-nan.csv", "line 6, column 1: 'nan' is no finite number"},
      {"good-100-images-idx3-ubyte,labels=" /* only 99 */, "99 labels, but"},
  };
  for (const auto& [name, cause] : kExpected) {
    std::string spec = kDamaged + name;
    if (spec.back() == '=') spec += kDamaged + "only-99-labels-idx1-ubyte";
    const std::string message = failure(spec);
    CAPTURE(name);
    CAPTURE(message);
    CHECK(contains(message, cause));
    CHECK(message.rfind(kDamaged, 0) == 0);
    CHECK(!contains(message, "\n"));
  }
}

TEST_CASE("borderline files are read") {
  if (!present()) return;
  const auto good = images(kSets + "mnist/t10k-labels-idx1-ubyte.gz");
  CHECK(good.size(0) == 10000);
  for (const char* name :
       {"labels-two-members-idx1-ubyte.gz", "labels-trailing-zeros-idx1-ubyte.gz", "labels-idx1-ubyte"}) {
    CAPTURE(name);
    CHECK(at::equal(images(kDamaged + name), good));
  }
  CHECK(images(kDamaged + "good-100-labels-idx1-ubyte").size(0) == 100);
  CHECK(images(kDamaged + "only-99-labels-idx1-ubyte").size(0) == 99);
  CHECK(images(kDamaged + "label-200-labels-idx1-ubyte").size(0) == 100);
  CHECK(images(kDamaged + "good-100-images-idx3-ubyte").sizes() == at::IntArrayRef({100, 1, 28, 28}));
  CHECK(at::equal(labels(kDamaged + "good-100-images-idx3-ubyte"), labels("mnist,split=test,limit=100")));
  CHECK(open(kDamaged + "good-100-images-idx3-ubyte,labels=" + kDamaged + "label-200-labels-idx1-ubyte")
            ->classes()
            .back() == 200);

  const auto rows = images(kSets + "optdigits/optdigits.tra,limit=10");
  const auto row_labels = labels(kSets + "optdigits/optdigits.tra,limit=10");
  for (const char* name :
       {"optdigits-crlf.csv", "optdigits-bom.csv", "optdigits-no-last-newline.csv", "optdigits-blank-lines.csv"}) {
    CAPTURE(name);
    CHECK(at::equal(images(kDamaged + name), rows));
    CHECK(at::equal(labels(kDamaged + name), row_labels));
  }
}
