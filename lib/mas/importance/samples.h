#pragma once
#include <ATen/ATen.h>

#include <vector>

namespace mas {

/// Samples of a run that pass through a network together.
struct Samples {
  at::Tensor x;                  ///< [n, ...]
  at::Tensor given;              ///< [n, ...] what seeds need to know of each: labels, draws, vectors; undefined: none
  std::vector<int64_t> numbers;  ///< n: which samples of the run they are, counted from 0

  int64_t size() const { return x.size(0); }
  Samples narrow(int64_t first, int64_t count) const;
  Samples select(const std::vector<int64_t>& rows) const;
};

/// Throws Error where y isn't [n, ...] (one sample may lack that dimension), or isn't finite, naming the
/// sample as people count, from 1.
void check_outputs(const at::Tensor& y, const Samples& samples);

}  // namespace mas
