#include "mas/importance/graph.h"

#include "unit/importance/networks.h"

using namespace mas;

namespace {

struct Walked {
  std::vector<at::Tensor> leaves;
  ParameterIndex index;
  Graph graph;

  Walked(std::vector<at::Tensor> parameters, const std::function<at::Tensor()>& forward,
         const std::set<std::string>& unusable = {}, int inactive = -1)
      : leaves(std::move(parameters)) {
    for (size_t i = 0; i < leaves.size(); i++) {
      leaves[i].set_requires_grad(true);
      index[leaves[i].unsafeGetTensorImpl()] = int(i);
    }
    graph = walk(
        forward(), index, [&](int i) { return i != inactive; },
        [&](torch::autograd::Node& node) { return !unusable.count(node.name()); });
  }
  const Use* use(const std::string& node) const {
    for (const auto& u : graph.uses)
      if (u.node->name() == node) return &u;
    return nullptr;
  }
};

}  // namespace

TEST_CASE("parameters are found through nodes that rearrange them, and pulled back to their shape") {
  auto w = torch::randn({4, 6}), b = torch::randn({8});
  const auto x = torch::randn({3, 4});
  const Walked g({w, b}, [&] {
    return torch::addmm(
        b.view({2, 4}).t().reshape({8}), x,
        w.reshape({8, 3}).t().reshape({4, 6}).narrow(1, 0, 6).repeat({1, 1}).matmul(torch::ones({6, 8})));
  });
  REQUIRE(g.use("AddmmBackward0"));
  const auto& slots = g.use("AddmmBackward0")->slots;
  REQUIRE(slots.count(0));
  CHECK(slots.at(0).parameter == 1);
  at::NoGradGuard off;
  const auto seen = b.detach().view({2, 4}).t().reshape({8});
  CHECK(torch::equal(slots.at(0).pull(seen.clone()), b.detach()));
  CHECK(g.graph.times.at(0) == 1);  // through a node that computes: a use of that node
  CHECK(!slots.count(2));
}

TEST_CASE("parameters are found through slices, splits and functions of their elements") {
  auto w = torch::randn({6, 4}), s = torch::randn({4});
  const auto x = torch::randn({3, 4});
  const Walked g({w, s}, [&] { return x.mm(w.split(2)[1].t()) + (x * s.exp()).sum(); });
  REQUIRE(g.use("MmBackward0"));
  const Leaf& part = g.use("MmBackward0")->slots.at(1);
  CHECK(part.moves);
  const auto of = [&](int64_t start) {
    return Walked({w}, [&] { return x.mm(w.slice(0, start, start + 2).t()); }).graph.signatures.at(0);
  };
  CHECK(of(0) == of(0));
  CHECK(of(0) != of(2));
  at::NoGradGuard off;
  auto want = torch::zeros({6, 4});
  want.slice(0, 2, 4).fill_(1);
  CHECK(torch::equal(part.pull(torch::ones({4, 2})), want));
  REQUIRE(g.use("MulBackward0"));
  const Leaf& scale = g.use("MulBackward0")->slots.at(1);
  CHECK(!scale.moves);
  CHECK(torch::allclose(scale.pull(torch::ones({4})), s.detach().exp()));
}

TEST_CASE("a backward pass may end at the uses that no other lies behind") {
  auto first = torch::randn({4, 4}), second = torch::randn({4}), third = torch::randn({4, 4});
  const auto x = torch::randn({3, 4});
  const Walked g({first, second, third}, [&] { return (x.mm(first) + second).relu().mm(third).sin(); });
  REQUIRE(g.graph.uses.size() == 3);
  int ends = 0;
  for (const auto& use : g.graph.uses) {
    const bool is_first = use.slots.begin()->second.parameter == 0;
    CHECK(use.terminal == is_first);
    ends += use.terminal;
  }
  CHECK(ends == 1);
  const auto& consumers = g.graph.consumers;
  REQUIRE(g.use("AddBackward0"));
  REQUIRE(consumers.count(g.use("AddBackward0")->node.get()));
  CHECK(consumers.at(g.use("AddBackward0")->node.get())[0]->name() == "ReluBackward0");
}

TEST_CASE("a parameter with a use that isn't known has no uses, and passing one by moves the end") {
  auto first = torch::randn({4, 4}), second = torch::randn({4, 4});
  const auto x = torch::randn({3, 4});
  const auto forward = [&] { return x.mm(first).sin().mm(second).sin() + (first.sin() + second).sum(); };
  const Walked unknown({first, second}, forward, {"SinBackward0"});
  CHECK(unknown.graph.unknown.at(0) == "SinBackward0");
  CHECK(!unknown.graph.unknown.count(1));
  CHECK(unknown.graph.times.at(1) == 2);
  for (const auto& use : unknown.graph.uses) {
    CHECK(use.terminal);
    for (const auto& slot : use.slots) CHECK(slot.second.parameter == 1);
  }
  const Walked without({first, second}, forward, {}, /*inactive=*/1);
  CHECK(!without.graph.signatures.count(1));
  CHECK(without.graph.times.at(0) == 2);
}

TEST_CASE("equal computations have equal signatures, others don't") {
  auto w = torch::randn({4, 4});
  const auto x = torch::randn({3, 4});
  const auto of = [&](const std::function<at::Tensor()>& f) { return Walked({w}, f).graph.signatures.at(0); };
  CHECK(of([&] { return x.mm(w); }) == of([&] { return x.mm(w).sin(); }));
  CHECK(of([&] { return x.mm(w); }) != of([&] { return x.mm(w.t()); }));
  CHECK(of([&] { return x.mm(w); }) != of([&] { return x.mm(w).mm(w); }));
  const std::vector<std::function<at::Tensor()>> others{[&] {
                                                          return w.permute({0, 1});
                                                        },
                                                        [&] {
                                                          return w.permute({1, 0});
                                                        },
                                                        [&] { return w.transpose(0, 1); },
                                                        [&] { return w.transpose(1, 1); },
                                                        [&] {
                                                          return w.view({2, 8});
                                                        },
                                                        [&] {
                                                          return w.view({8, 2});
                                                        },
                                                        [&] { return w.split(2, 0)[1]; },
                                                        [&] { return w.split(2, 1)[1]; },
                                                        [&] { return w.split(1, 0)[1]; },
                                                        [&] {
                                                          return w.split_with_sizes({1, 3}, 0)[1];
                                                        },
                                                        [&] {
                                                          return w.split_with_sizes({2, 2})[1];
                                                        },
                                                        [&] { return w.unbind(0)[1]; },
                                                        [&] { return w.unbind(1)[1]; },
                                                        [&] { return w.unsqueeze(0); },
                                                        [&] { return w.unsqueeze(1); }};
  std::set<std::string> seen;
  for (const auto& other : others) seen.insert(of([&] { return other() * 2; }));
  CHECK(seen.size() == others.size());
  const auto nodes = [&](const at::Tensor& y) { return Walked({w}, [&] { return y.mm(w); }).graph.nodes; };
  const auto turned = [&](int64_t a, int64_t b) { return nodes(w.sin().permute({a, b})); };
  CHECK(turned(0, 1) == turned(0, 1));
  CHECK(turned(0, 1) != turned(1, 0));
  CHECK(walk(x, {}, {}, {}).uses.empty());
}

TEST_CASE("uses of parts that lie apart are as one use, however the parts are taken") {
  auto w = torch::randn({6, 4});
  using Parts = std::vector<at::Tensor>;
  const auto times = [&](const std::function<Parts()>& parts) {
    return Walked({w},
                  [&] {
                    at::Tensor sum = torch::zeros({});
                    for (const auto& part : parts()) sum = sum + (part * 2).sum();
                    return sum;
                  })
        .graph.times.at(0);
  };
  CHECK(times([&] { return Parts{w.narrow(0, 0, 2).t(), w.slice(0, 2, 4).t(), w.slice(0, -2)}; }) == 1);
  CHECK(times([&] { return w.chunk(3); }) == 1);
  CHECK(times([&] { return w.split_with_sizes({1, 3, 2}); }) == 1);
  CHECK(times([&] { return w.t().unbind(0); }) == 1);
  CHECK(times([&] { return Parts{w[0], w[-1], w.slice(0, 1, -1)}; }) == 1);
  CHECK(times([&] { return Parts{w.select(1, 2), w.permute({1, 0})[3], w.transpose(-1, 0).slice(0, 0, 2)}; }) == 1);
  CHECK(times([&] { return Parts{w.slice(0, 0, 2).view({8}).slice(0, 1, 3), w.slice(0, 2)}; }) == 1);
  CHECK(times([&] { return Parts{w.slice(0, 0, 3), w.slice(0, 2, 4)}; }) == 2);
  CHECK(times([&] { return Parts{w.slice(0, 0, 3), w.slice(1, 0, 1)}; }) == 2);
  CHECK(times([&] { return Parts{w[0], w[1], w[-6]}; }) == 3);
  CHECK(times([&] { return Parts{w, w[1]}; }) == 2);
  CHECK(times([&] { return Parts{w.slice(0, 0, 6, 2), w.slice(0, 1, 6, 2)}; }) == 2);  // more than is known
  CHECK(times([&] { return Parts{w.view({4, 6})[0], w.view({4, 6})[1]}; }) == 2);
}

TEST_CASE("the widest tensor of a network is found, and how many elements it computes") {
  auto w = torch::randn({4, 50}, at::requires_grad()), v = torch::randn({50, 3}, at::requires_grad());
  const auto found = extent(torch::randn({2, 4}).mm(w).relu().view({100}).view({2, 50}).mm(v));
  CHECK(found.widest == 100);
  CHECK(found.total == 206);
}
