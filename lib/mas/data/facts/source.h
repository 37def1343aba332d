#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <ATen/ATen.h>

namespace mas {

/// Subject, predicate and object; empty where a fact has none.
using FactWords = std::array<std::string, 3>;
std::string fact_name(const FactWords& words);  ///< "<man, riding, horse>", or "<man>"
FactWords fact_words(const std::string& name);  ///< of such a name; empty ones of another

/// The vectors of a fact's subject, predicate and object; null where it has none.
using FactVectors = std::array<const std::vector<float>*, 3>;

/// Source::class_vectors of such facts, of words of so many values: float32 [facts, 3 * size], NaN where there is none.
at::Tensor concatenated(const std::vector<FactVectors>& facts, int64_t size);

}  // namespace mas
