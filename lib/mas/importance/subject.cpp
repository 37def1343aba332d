#include "mas/importance/subject.h"

#include "mas/importance/loop.h"

namespace mas {

std::vector<Accumulator> Subject::accumulators(bool brief) const {
  std::vector<Accumulator> all;
  for (const auto& p : parameters) all.emplace_back(p, measure(), brief);
  return all;
}

std::unique_ptr<Pass> Subject::pass(const Samples& samples, const std::vector<bool>& active) const {
  return std::make_unique<Pass>(forward, samples.x, index, active, orders, method);
}

std::unique_ptr<Pass> Subject::pass(const Samples& samples, const Chosen& chosen) const {
  std::vector<bool> active(parameters.size());
  for (int i : chosen) active[i] = true;
  return pass(samples, active);
}

Faults Subject::loop(const Samples& samples, const Chosen& chosen, std::vector<Accumulator>& to) {
  Faults faults;
  if (chosen.empty()) return faults;
  if (method == Method::kLocal) {
    for (int64_t n = 0; n < samples.size(); n++) {
      const Samples one = samples.narrow(n, 1);
      const auto alone = pass(one, chosen);
      check_outputs(alone->output(), one);
      note_uses(alone->graph());
      alone->add(parameters, to, seeds, one.given);
      faults.insert(alone->refused().begin(), alone->refused().end());
    }
    return faults;
  }
  loop_gradients(forward, parameters, chosen, samples, seeds, 1, [&](int i, const at::Tensor& g) {
    if (!g.defined()) return;
    used[i] = true;
    to[i].add(g.unsqueeze(0));
  });
  return faults;
}

void Subject::note_uses(const Graph& graph) {
  for (const auto& [parameter, signature] : graph.signatures) used[parameter] = true;
}

}  // namespace mas
