#include "mas/io/rehearsal.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <vector>

#include "unit/doctest_torch.h"
#include "unit/io/scratch.h"

namespace {

std::string fault(const std::function<void()>& read, const mas::RehearsalLimits& limits = {}) {
  return mas::test::error_of([&] { mas::rehearse("x", read, limits); });
}

}  // namespace

TEST_CASE("a read that succeeds leaves no trace") {
  int touched = 0;
  CHECK(fault([&] { touched = 1; }).empty());
  CHECK(touched == 0);
}

TEST_CASE("exceptions arrive with their text") {
  CHECK(fault([] { throw mas::Error("y", "bad"); }) == "y: bad");
  CHECK(fault([] { throw std::runtime_error("odd"); }) == "x: odd");
  const std::string text(100000, 'e');  // more than a pipe holds
  CHECK(fault([&] { throw mas::Error(text); }) == text);
}

TEST_CASE("a crash is an error") {
  CHECK(fault([] { raise(SIGSEGV); }) == "x: damaged: reading it crashes");
  CHECK(fault([] { std::abort(); }) == "x: damaged: reading it crashes");
  CHECK(fault([] { _exit(3); }) == "x: damaged: reading it crashes");
}

TEST_CASE("an endless loop ends by its processor time") {
  mas::RehearsalLimits limits;
  limits.seconds_cpu = 1;
  volatile bool forever = true;
  CHECK(fault(
            [&] {
              while (forever) {
              }
            },
            limits) == "x: damaged: reading it never ends");
}

TEST_CASE("a wait without end ends by the clock") {
  mas::RehearsalLimits limits;
  limits.seconds_wall = 1;
  const auto start = std::chrono::steady_clock::now();
  CHECK(fault(
            [] {
              for (;;) pause();
            },
            limits) == "x: damaged: reading it never ends");
  CHECK((std::chrono::steady_clock::now() - start < std::chrono::seconds(30)));
}

TEST_CASE("memory beyond the budget is an error") {
  mas::RehearsalLimits limits;
  limits.memory = 64 << 20;
  CHECK(fault([] { std::vector<char> much(256 << 20); }, limits) ==
        "x: damaged: reading it takes far more memory than its size explains");
}

TEST_CASE("a rehearsal works while other threads exist") {
  const auto sum = torch::ones({512, 512}).mm(torch::ones({512, 512})).sum();  // starts LibTorch's threads, if any
  CHECK(fault([] { std::make_unique<std::string>(1000, 'x'); }).empty());
  CHECK(sum.item<float>() > 0);
}
