#include "mas/io/pickle.h"

#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

namespace {

using Kind = mas::PickleValue::Kind;
using mas::test::contains;

std::string fault(const std::string& pickle) {
  return mas::test::error_of([&] { mas::PickleReader(pickle, "x").read(); });
}

std::string text(const std::string& value) { return "\x8c" + std::string(1, static_cast<char>(value.size())) + value; }

// torch._utils._rebuild_tensor_v2 of a storage with 6 floats; `view`: offset, sizes and strides; `metadata`: what newer
// versions add.
std::string tensor(const std::string& view, const std::string& metadata = "") {
  return "\x80\x02" + std::string("ctorch._utils\n_rebuild_tensor_v2\n((") + text("storage") +
         "ctorch\nFloatStorage\n" + text("0") + text("cpu") + "K\x06tQ" + view + "\x89N" + metadata + "tR.";
}

}  // namespace

TEST_CASE("plain values are read") {
  const std::string pickle = std::string("\x80\x02}(", 4) + text("a") + "K\x07" + text("b") + "J\xfe\xff\xff\xff" +
                             text("c") + "\x8a\x02\xff\x7f" + text("d") + "](N\x88\x89" +
                             std::string("G\x3f\xf0\0\0\0\0\0\0", 9) + "eu.trailing";
  mas::PickleReader reader(pickle, "x");
  const auto& items = reader.read().items;
  REQUIRE(items.size() == 8);
  CHECK(items[0]->text == "a");
  CHECK(items[1]->integer == 7);
  CHECK(items[3]->integer == -2);
  CHECK(items[5]->integer == 32767);
  REQUIRE(items[7]->items.size() == 4);
  CHECK(items[7]->items[1]->integer == 1);
  CHECK(reader.position() == pickle.size() - 8);
}

TEST_CASE("a tensor is described by its storage and its view of it") {
  const std::string pickle = tensor("K\x01K\x02K\x02\x86K\x03K\x01\x86");
  mas::PickleReader reader(pickle, "x");
  const auto& value = reader.read();
  REQUIRE(value.is(Kind::kTensor));
  CHECK(value.integer == 1);
  CHECK(value.sizes == std::vector<int64_t>{2, 2});
  CHECK(value.strides == std::vector<int64_t>{3, 1});
  CHECK(value.items[0]->text == "0");
  CHECK(value.items[0]->integer == 6);
  CHECK((value.items[0]->type == at::kFloat));
}

TEST_CASE("a tensor that reaches beyond its storage is refused") {
  const std::string beyond = "x: damaged pickle: a tensor that reaches beyond its storage";
  CHECK(fault(tensor("K\x01K\x02K\x03\x86K\x03K\x01\x86")) == beyond);
  CHECK(fault(tensor("J\xff\xff\xff\xffK\x01\x85K\x01\x85")) == beyond);
  CHECK(fault(tensor("K\x07)K\x01\x85")) == "x: damaged pickle: a tensor with an impossible shape");
  CHECK(fault(tensor("K\x06))")) == beyond);
  CHECK(fault(tensor("K\x05))")) == "");
  CHECK(fault(tensor("K\x01J\xff\xff\xff\xff\x85K\x01\x85")) == "x: damaged pickle: a tensor with an impossible shape");
  // 2^62 x 2^62 values, all of them the first
  const std::string huge = std::string("\x8a\x08\0\0\0\0\0\0\0\x40", 10);
  CHECK(fault(tensor("K\x01" + huge + huge + "\x86" + std::string("K\0K\0\x86", 5))) == beyond);
}

TEST_CASE("a tensor that stands for the negative of its storage is refused") {
  const std::string view = "K\x01K\x02K\x02\x86K\x03K\x01\x86";
  CHECK(fault(tensor(view, "}(" + text("conj") + "\x89" + text("neg") + "\x89u")) == "");
  CHECK(contains(fault(tensor(view, "}(" + text("conj") + "\x89" + text("neg") + "\x88u")),
                 "x: has a tensor that is another's negative"));
}

TEST_CASE("every class and function but PyTorch's for tensors is refused by name, before anything is called") {
  CHECK(fault("\x80\x02" + std::string("cos\nsystem\n") + text("touch /tmp/x") + "\x85R.") ==
        "x: holds the Python object os.system, and nothing but weights is read; save those alone: "
        "torch.save(model.state_dict(), ...)");
  CHECK(contains(fault("\x80\x04" + text("builtins") + text("eval") + "\x93."), "builtins.eval"));
  CHECK(contains(fault("\x80\x02" + std::string("ctorchvision.models.resnet\nResNet\n)\x81.")), "resnet.ResNet"));
  CHECK(contains(fault("\x80\x02" + std::string("ca\x1b[2J\nb\n.")), "object a?[2J.b,"));
  CHECK(contains(fault("\x80\x02" + std::string("(Ios\n.")), "opcode 73, which torch.save doesn't write"));
}

TEST_CASE("broken pickles are errors") {
  for (const std::string& pickle :
       std::vector<std::string>{"",
                                "\x80",
                                "\x80\x07.",
                                ".",
                                "\x80\x02(",
                                "\x80\x02(.",
                                "\x80\x02}K\x01s.",
                                "\x80\x02K\x01K\x02s.",
                                "\x80\x02t.",
                                "\x80\x02\x86.",
                                "\x80\x02h\x05.",
                                "\x80\x02R.",
                                "\x80\x02)Q.",
                                "\x80\x02NQ.",
                                "\x80\x02X\xff\xff\xff\xffok.",
                                "\x80\x02" + std::string("ccollections\nOrderedDict\n)\x85R(N)b."),
                                "\x80\x02](N0.",
                                "\x80\x02}(Nu.",
                                "\x80\x02" + std::string("ctorch\nFloatStorage\n)R."),
                                "\x80\x02\x8a",
                                "\x80\x02q\x01.",
                                "\x80\x02NN\x93."}) {
    CAPTURE(pickle);
    CHECK(contains(fault(pickle), "x: damaged pickle: "));
  }
}

TEST_CASE("deep, shared and self-containing values cost what their bytes cost") {
  const std::string deep(1000000, ']');
  std::string closed;
  for (int i = 0; i < 1000000 - 1; i++) closed += 'a';
  CHECK(fault("\x80\x02" + deep + closed + ".") == "");
  std::string doubling = "\x80\x02]q\x01";  // each list holds the one before twice: 2^200 leaves, were it walked
  for (int i = 0; i < 200; i++) doubling += "0](h\x01h\x01\x65q\x01";
  CHECK(fault(doubling + ".") == "");
  CHECK(fault("\x80\x02]q\x01h\x01" + std::string("a.")) == "");
  CHECK(fault("\x80\x02" + std::string(1 << 23, ']') + ".") == "x: a pickle of millions of values, not weights");
}
