#include "mas/io/pytorch_file.h"

#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

using mas::explain_pytorch_file;
using mas::test::contains;

TEST_CASE("a TorchScript module is told from other zip archives") {
  CHECK(mas::is_torchscript("PK\x03\x04 net/constants.pkl"));
  CHECK(!mas::is_torchscript("PK\x03\x04 net/data.pkl"));
  CHECK(!mas::is_torchscript("net/constants.pkl"));
  CHECK(contains(explain_pytorch_file("PK\x03\x04 a.txt"), "a zip archive"));
  // Of a large one that is read no further than some of its tensors.
  std::string head = "PK\x03\x04" + std::string(26, '\0') + "net/data/0";
  head[26] = 10;
  CHECK(mas::begins_torchscript(head + "FB"));
  CHECK(!mas::begins_torchscript(head.substr(0, 36)));
  head.replace(30, 10, "a/data.pkl");
  CHECK(!mas::begins_torchscript(head));
}

TEST_CASE("what torch.save wrote is named, in the format before 1.6 too") {
  const std::string zip = "PK\x03\x04 net/data.pklZZ", legacy = "\x80\x02}(type_sizes.";
  for (const auto& before : {zip, legacy}) {
    CAPTURE(before);
    CHECK(contains(explain_pytorch_file(before + "\x80\x02"
                                                 "ccollections\nOrderedDict\nq"),
                   "torch.save of a state dict"));
    CHECK(contains(explain_pytorch_file(before + "\x80\x02}q"), "torch.save of a state dict"));
    CHECK(contains(explain_pytorch_file(before + "\x80\x02"
                                                 "c__main__\nNet\nq"),
                   "torch.save of __main__.Net"));
  }
  CHECK(explain_pytorch_file(zip + "\x80\x02"
                                   "c__torch__.Net\nNet\nq") == "a TorchScript module that is cut short");
  CHECK(contains(explain_pytorch_file("\x80\x04K."), "torch.save of an object"));
}

TEST_CASE("ONNX is named, and other files aren't") {
  CHECK(contains(explain_pytorch_file("\x08\x07\x12\x07pytorch\x1a\x06"
                                      "1.13.0"),
                 "an ONNX model"));
  CHECK(explain_pytorch_file("just text").empty());
  CHECK(explain_pytorch_file("").empty());
}
