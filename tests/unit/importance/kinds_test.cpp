// Every kind of node that the fast path knows, in networks that use it, against one sample at a time in double.
#include <set>

#include "mas/error.h"
#include "mas/importance/estimator.h"
#include "unit/importance/networks.h"

using namespace mas;
using namespace mas::test;
namespace nn = torch::nn;

namespace {

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Feeds x in batches of several sizes and judges all parameters. They take the `paths` (by the end of their names), of
// which each has to be taken by one at least; others take no loop.
void judge(nn::Module& net, const Forward& forward, const at::Tensor& x,
           const std::vector<std::pair<std::string, std::string>>& paths, double tolerance = 1e-5) {
  net.eval();
  std::vector<NamedTensors> got;
  for (int64_t batch : {x.size(0), int64_t(5), int64_t(3), int64_t(2), int64_t(1)}) {
    CAPTURE(batch);
    Estimator e(forward, parameters(net));
    got.push_back(test::estimate(e, x, batch));
    if (batch == 1) continue;  // the loop, then
    std::set<std::string> met;
    for (const auto& p : e.paths()) {
      CAPTURE(p.parameter);
      CAPTURE(p.why);
      bool named = false;
      for (const auto& [end, want] : paths) {
        if (!ends_with(p.parameter, end)) continue;
        CHECK(p.path == want);
        named = true;
        met.insert(end);
      }
      if (!named) CHECK(p.path != "loop");
    }
    for (const auto& entry : paths) CHECK(met.count(entry.first));
  }
  net.to(at::kDouble);
  const auto want = one_by_one(forward, parameters(net), x.is_floating_point() ? x.to(at::kDouble) : x);
  for (const auto& sums : got)
    for (const auto& [name, value] : want) {
      CAPTURE(name);
      CHECK(error(sums.at(name), value) < tolerance);
    }
}

int64_t pick(int64_t low, int64_t high) { return torch::randint(low, high + 1, {1}).item<int64_t>(); }

}  // namespace

TEST_CASE("transposed and three-dimensional convolutions of odd shapes are right and don't take the loop") {
  torch::manual_seed(11);
  for (int round = 0; round < 40; round++) {
    const int64_t groups = round % 3 == 0 ? pick(2, 3) : 1, in = groups * pick(1, 12), out = groups * pick(1, 40);
    const int64_t k = pick(1, 4), s = pick(1, 3), d = pick(1, 2), p = pick(0, std::min<int64_t>(2, d * (k - 1)));
    const int64_t extra = s > 1 ? pick(0, s - 1) : 0, size = d * (k - 1) + 1 + pick(0, 4);
    CAPTURE(round);
    const bool bias = round % 4 != 1;
    const std::vector<std::pair<std::string, std::string>> paths{{"weight", "convolution"}};
    switch (round % 4) {
      case 0: {
        nn::ConvTranspose1d net(nn::ConvTranspose1dOptions(in, out, k)
                                    .stride(s)
                                    .padding(p)
                                    .output_padding(extra)
                                    .dilation(d)
                                    .groups(groups));
        judge(
            *net, [=](const at::Tensor& x) mutable { return net(x).tanh(); }, torch::randn({7, in, size}), paths);
        break;
      }
      case 1: {
        nn::ConvTranspose2d net(nn::ConvTranspose2dOptions(in, out, {k, 2})
                                    .stride({s, 1})
                                    .padding({p, 0})
                                    .output_padding({extra, 0})
                                    .groups(groups)
                                    .bias(bias));
        auto x = torch::randn({7, in, 3 + size, 4});
        if (round % 8 == 1) x = x.contiguous(at::MemoryFormat::ChannelsLast);
        judge(
            *net, [=](const at::Tensor& t) mutable { return net(t).tanh(); }, x, paths);
        break;
      }
      case 2: {
        nn::Conv3d net(nn::Conv3dOptions(in, out, {k, 2, 3})
                           .stride({s, 2, 1})
                           .padding({p, 1, 0})
                           .dilation({d, 1, 1})
                           .groups(groups));
        judge(
            *net, [=](const at::Tensor& x) mutable { return net(x).tanh(); }, torch::randn({7, in, size, 4, 5}), paths);
        break;
      }
      default: {
        nn::ConvTranspose3d net(
            nn::ConvTranspose3dOptions(in, out, 2).stride({1, 2, 1}).padding({0, 1, 0}).groups(groups));
        judge(
            *net, [=](const at::Tensor& x) mutable { return net(x).tanh(); }, torch::randn({7, in, 2, 3, 3}), paths);
      }
    }
  }
}

TEST_CASE("norm layers and PReLU are right and don't take the loop") {
  torch::manual_seed(12);
  const auto randomize = [](nn::Module& net) {
    at::NoGradGuard off;
    for (auto& p : net.parameters()) p.normal_();
  };
  nn::Sequential group(nn::Conv2d(3, 12, 3), nn::GroupNorm(4, 12), nn::PReLU(nn::PReLUOptions().num_parameters(12)),
                       nn::Conv2d(12, 5, 2), nn::GroupNorm(1, 5), nn::PReLU());
  randomize(*group);
  judge(*group, [=](const at::Tensor& x) mutable { return group->forward(x); }, torch::randn({9, 3, 7, 6}),
        {{"1.weight", "group norm"}, {"4.bias", "group norm"}, {"2.weight", "prelu"}, {"5.weight", "prelu"}});
  nn::Sequential instance(nn::Conv1d(nn::Conv1dOptions(3, 8, 3).bias(false)),
                          nn::InstanceNorm1d(nn::InstanceNorm1dOptions(8).affine(true)), nn::Tanh(),
                          nn::Conv1d(8, 4, 2));
  randomize(*instance);
  judge(*instance, [=](const at::Tensor& x) mutable { return instance->forward(x); }, torch::randn({9, 3, 12}),
        {{"1.weight", "broadcast"}, {"1.bias", "broadcast"}, {"3.weight", "convolution"}});
  nn::InstanceNorm2d tracked(nn::InstanceNorm2dOptions(3).affine(true).track_running_stats(true));
  randomize(*tracked);
  tracked(torch::randn({20, 3, 5, 5}));
  judge(*tracked, [=](const at::Tensor& x) mutable { return tracked(x).tanh(); }, torch::randn({9, 3, 5, 4}),
        {{"weight", "broadcast"}, {"bias", "broadcast"}});
  nn::Sequential layer(nn::Linear(6, 10), nn::LayerNorm(nn::LayerNormOptions({5, 10})), nn::PReLU(), nn::Linear(10, 3));
  randomize(*layer);
  judge(*layer, [=](const at::Tensor& x) mutable { return layer->forward(x); }, torch::randn({9, 5, 6}),
        {{"1.weight", "layer norm"}, {"1.bias", "layer norm"}, {"2.weight", "prelu"}, {"0.weight", "linear"}});
}

TEST_CASE("a bias whose gradient cancels but for rounding doesn't take the loop") {
  torch::manual_seed(18);
  nn::Sequential net(nn::Conv2d(3, 8, 3), nn::InstanceNorm2d(8), nn::Tanh(), nn::Conv2d(8, 2, 3));
  net->eval();
  const auto x = torch::randn({9, 3, 9, 9});
  Estimator e([=](const at::Tensor& t) mutable { return net->forward(t); }, parameters(*net));
  const auto got = test::estimate(e, x, 9);
  CHECK(path(e, "0.bias") == "convolution");
  CHECK(got.at("0.bias").max().item<double>() < 1e-5 * got.at("0.weight").max().item<double>());
}

TEST_CASE("recurrent layers are right in either layout and don't take the loop") {
  torch::manual_seed(13);
  for (const bool batch_first : {true, false}) {
    nn::LSTM lstm(nn::LSTMOptions(5, 7).num_layers(2).bidirectional(true).batch_first(batch_first));
    judge(*lstm,
          [=](const at::Tensor& x) mutable {
            const auto y = std::get<0>(lstm(batch_first ? x : x.transpose(0, 1)));
            return batch_first ? y : y.transpose(0, 1);
          },
          torch::randn({9, 4, 5}), {});
    nn::GRU gru(nn::GRUOptions(5, 6).batch_first(batch_first));
    judge(*gru,
          [=](const at::Tensor& x) mutable {
            const auto y = std::get<0>(gru(batch_first ? x : x.transpose(0, 1)));
            return batch_first ? y.select(1, -1) : y[-1];  // the last step alone
          },
          torch::randn({9, 4, 5}), {});
  }
  nn::LSTMCell cell(5, 7);
  judge(*cell,
        [=](const at::Tensor& x) mutable {
          auto state = std::make_tuple(at::zeros({x.size(0), 7}, x.options()), at::zeros({x.size(0), 7}, x.options()));
          for (int64_t t = 0; t < 3; t++) state = cell(x.select(1, t), state);
          return std::get<0>(state);
        },
        torch::randn({9, 3, 5}), {});
}

TEST_CASE("attention and transformers are right in either layout and don't take the loop") {
  torch::manual_seed(14);
  nn::TransformerEncoder encoder(
      nn::TransformerEncoderOptions(nn::TransformerEncoderLayerOptions(12, 3).dim_feedforward(20), 2));
  judge(
      *encoder,
      [=](const at::Tensor& x) mutable {
        return encoder(x.transpose(0, 1), at::Tensor(), at::Tensor()).transpose(0, 1).mean(1);
      },
      torch::randn({9, 6, 12}),
      {{"in_proj_weight", "linear"},
       {"in_proj_bias", "broadcast"},
       {"out_proj.weight", "linear"},
       {"linear1.weight", "linear"},
       {"norm1.weight", "layer norm"}},
      2e-5);
  nn::MultiheadAttention attention(nn::MultiheadAttentionOptions(8, 2).kdim(5).vdim(5));
  auto net = std::make_shared<Net>();
  net->register_module("attention", attention);
  const auto query = net->add("query", {4, 8});
  judge(*net,
        [=](const at::Tensor& x) mutable {
          const auto q = net->named_parameters()["query"].unsqueeze(1).repeat({1, x.size(0), 1}), k = x.transpose(0, 1);
          return std::get<0>(attention(q, k, k)).transpose(0, 1);
        },
        torch::randn({9, 6, 5}), {{"q_proj_weight", "linear"}, {"k_proj_weight", "linear"}});
  nn::MultiheadAttention crossed(nn::MultiheadAttentionOptions(8, 2));  // q, k and v are parts of one weight
  judge(*crossed,
        [=](const at::Tensor& x) mutable {
          const auto q = x.slice(1, 0, 2).transpose(0, 1), k = x.slice(1, 2).transpose(0, 1);
          return std::get<0>(crossed(q, k, k.tanh())).transpose(0, 1);
        },
        torch::randn({9, 6, 8}), {{"in_proj_weight", "linear"}, {"in_proj_bias", "broadcast"}});
}

TEST_CASE("embeddings add a sample's equal tokens before the absolute value") {
  torch::manual_seed(15);
  auto net = std::make_shared<Net>();
  nn::Embedding table(nn::EmbeddingOptions(11, 6).padding_idx(2));
  net->register_module("table", table);
  nn::Linear out(6, 3);
  net->register_module("out", out);
  const auto position = net->add("position", {5, 6});
  const auto x = torch::randint(0, 11, {9, 5});
  const Forward forward = [=](const at::Tensor& t) mutable {
    return out((table(t) + net->named_parameters()["position"]).tanh().mean(1));
  };
  judge(*net, forward, x, {{"table.weight", "embedding"}, {"position", "broadcast"}, {"out.weight", "linear"}});
  net->to(at::kFloat);
  // Tied: the table is the output's weight too.
  judge(*net, [=](const at::Tensor& t) mutable { return table(t).tanh().mean(1).mm(table->weight.t()); }, x,
        {{"table.weight", "embedding + linear"}});
  net->to(at::kFloat);
  judge(*net, [=](const at::Tensor& t) mutable { return table(t.t()).tanh().mean(0); }, x,
        {{"table.weight", "embedding"}});
}

TEST_CASE("bare parameters in arithmetic, products and einsum are right and don't take the loop") {
  torch::manual_seed(16);
  const auto x = torch::randn({9, 4, 6});
  using F = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& p)>;
  const std::vector<std::tuple<std::string, std::vector<int64_t>, F, std::string>> cases{
      {"add", {4, 1}, [](auto& t, auto& p) { return (t + p).tanh(); }, "broadcast"},
      {"subtract", {6}, [](auto& t, auto& p) { return (p - t).tanh(); }, "broadcast"},
      {"multiply", {1, 6}, [](auto& t, auto& p) { return (t * p).tanh(); }, "broadcast"},
      {"a scalar", {}, [](auto& t, auto& p) { return (t * p).tanh(); }, "broadcast"},
      {"divide by", {4, 1}, [](auto& t, auto& p) { return (t / (p.abs() + 1)).tanh(); }, "loop"},
      {"divided", {6}, [](auto& t, auto& p) { return (p / (t.square() + 1)).tanh(); }, "broadcast"},
      {"divisor", {6}, [](auto& t, auto& p) { return (t / p).tanh(); }, "broadcast"},
      {"steps first",
       {4, 1, 6},
       [](auto& t, auto& p) { return (t.transpose(0, 1) * p).tanh().transpose(0, 1); },
       "broadcast"},
      {"log-scale", {6}, [](auto& t, auto& p) { return (t * p.exp()).tanh(); }, "broadcast"},
      {"slice", {9, 6}, [](auto& t, auto& p) { return (t + p.slice(0, 2, 6)).tanh(); }, "broadcast"},
      {"two slices",
       {8, 6},
       [](auto& t, auto& p) { return ((t + p.slice(0, 0, 4)).tanh() * p.slice(0, 4, 8)).tanh(); },
       "broadcast"},
      {"split", {12, 6}, [](auto& t, auto& p) { return (t + p.split(4)[1]).tanh() * p.split(4)[2]; }, "broadcast"},
      {"class token",
       {1, 1, 6},
       [](auto& t, auto& p) {
         return at::cat({p.expand({t.size(0), 1, 6}), t}, 1).cumsum(1).tanh();
       },
       "broadcast"},
      {"repeated",
       {2, 6},
       [](auto& t, auto& p) {
         return (t + p.repeat({t.size(0), 2, 1})).tanh();
       },
       "broadcast"},
      {"repeated without a dimension",
       {6},
       [](auto& t, auto& p) {
         return at::cat({t.mean(1), p.repeat({t.size(0), 1})}, 1).cumsum(1);
       },
       "broadcast"},
      {"x @ matrix", {6, 3}, [](auto& t, auto& p) { return t.matmul(p).tanh(); }, "linear"},
      {"matrix @ x", {3, 4}, [](auto& t, auto& p) { return at::matmul(p, t).tanh(); }, "linear"},
      {"x @ vector", {6}, [](auto& t, auto& p) { return t.matmul(p).tanh(); }, "linear"},
      {"matrix @ xᵀ", {3, 6}, [](auto& t, auto& p) { return p.mm(t.select(1, 0).t()).t().tanh(); }, "linear"},
      {"einsum",
       {6, 3},
       [](auto& t, auto& p) {
         return at::einsum("nti,io->nto", {t, p}).tanh();
       },
       "linear"},
      {"einsum, transposed",
       {3, 4, 6},
       [](auto& t, auto& p) {
         return at::einsum("nti,oti->no", {t, p}).tanh();
       },
       "linear"},
      {"einsum, parameter first",
       {6, 3},
       [](auto& t, auto& p) {
         return at::einsum("io,nti->ton", {p, t}).tanh().permute({2, 0, 1});
       },
       "linear"},
      {"einsum, a matrix a step",
       {4, 6, 3},
       [](auto& t, auto& p) {
         return at::einsum("nti,tio->nto", {t, p}).tanh();
       },
       "linear"},
      {"sequence of rows, steps first",
       {6, 3},
       [](auto& t, auto& p) { return t.transpose(0, 1).matmul(p).tanh().transpose(0, 1); },
       "linear"},
      {"a row of a table", {2, 6}, [](auto& t, auto& p) { return t.matmul(p[0]).tanh(); }, "linear"},
      {"a bias for each row, samples across",
       {3, 1},
       [](auto& t, auto& p) {
         return at::addmm(p, at::ones({3, 4}, t.options()), t.select(2, 0).t()).t().tanh();
       },
       "linear"},
      {"a batch of one, transposed",
       {1, 3, 6},
       [](auto& t, auto& p) { return at::bmm(t.select(1, 0).unsqueeze(0), p.transpose(1, 2))[0].tanh(); },
       "linear"},
      {"steps first, the first step alone",
       {6, 3},
       [](auto& t, auto& p) { return t.transpose(0, 1).matmul(p).tanh()[0]; },
       "linear"},
      {"steps first, a vector, the first step alone",
       {1, 6},
       [](auto& t, auto& p) {
         return (t.transpose(0, 1) * p.expand({4, 6}).unsqueeze(1)).tanh()[0];
       },
       "loop"},
      {"one scale, steps first",
       {1},
       [](auto& t, auto& p) { return (t.transpose(0, 1).contiguous() * p).tanh().transpose(0, 1).mean(1); },
       "broadcast"},
      {"two matrices in one",
       {12, 6},
       [](auto& t, auto& p) { return t.matmul(p.chunk(2)[0].t()).tanh().matmul(p.chunk(2)[1].t()); },
       "linear"},
      {"two matrices that overlap",
       {9, 6},
       [](auto& t, auto& p) { return t.matmul(p.slice(0, 0, 6).t()).tanh().matmul(p.slice(0, 3, 9).t()); },
       "linear"},
      {"used twice", {6, 6}, [](auto& t, auto& p) { return t.matmul(p).tanh().matmul(p.t()); }, "linear"},
  };
  for (const auto& [what, shape, f, path] : cases) {
    CAPTURE(what);
    auto net = std::make_shared<Net>();
    net->add("p", shape);
    judge(*net, [net = net.get(), &f = f](const at::Tensor& t) { return f(t, net->named_parameters()["p"]); }, x,
          {{"p", path}});
  }
}

TEST_CASE("small inputs hide nothing behind rounding") {
  torch::manual_seed(20);
  auto net = std::make_shared<Net>();
  net->add("w", {6, 3});
  const auto x = torch::randn({8, 4, 6});
  judge(*net,
        [net = net.get()](const at::Tensor& t) {
          const auto y = (t.transpose(0, 1) * 1e-8).reshape({-1, 6}).mm(net->named_parameters()["w"]) * 1e7;
          return y.view({4, -1, 3}).tanh().sum(0);
        },
        x, {{"w", "linear"}});
}

TEST_CASE("sparse gradients are read in the loop") {
  torch::manual_seed(26);
  nn::Embedding table(nn::EmbeddingOptions(7, 3).sparse(true));
  EstimatorOptions options;
  options.loop = true;
  const Forward forward = [=](const at::Tensor& t) mutable { return table(t).tanh().sum(1); };
  Estimator slow(forward, parameters(*table), options), fast(forward, parameters(*table));
  const auto x = torch::randint(0, 7, {8, 4});
  CHECK(error(test::estimate(fast, x, 4), test::estimate(slow, x, 4)) < 1e-5);
  CHECK(path(fast, "weight") == "embedding");
}
