#pragma once
#include <cstdio>

#include "mas/evaluation/agreement.h"
#include "mas/evaluation/matrix.h"
#include "mas/evaluation/runs.h"

namespace mas::tool {

/// For people: accuracies in percent, a row a model, and below the measures that they allow, with their formulas.
void print_result(std::FILE* out, const AccuracyMatrix& matrix, const Measures& measures);

/// For people: a row a group of runs, mean ± standard deviation in percent of each measure, and the 95 % interval of
/// ACC; then each task's accuracy at the end.
void print_result(std::FILE* out, const Runs& runs);

/// For people: a table for each other model, a row a parameter and the last for all.
void print_result(std::FILE* out, const AgreementTable& table);

}  // namespace mas::tool
