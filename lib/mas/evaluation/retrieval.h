#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "mas/data/dataset.h"
#include "mas/model/model.h"

namespace mas {

/// Average precision of a ranking: Σ (R_k − R_k−1) P_k over its distances in ascending order, with precision P and
/// recall R of all that is as near. Samples at the same distance come at once, so that ties have one value whatever
/// their order; scikit-learn's average_precision_score. At least one sample has to be relevant. NaN distances aren't
/// allowed.
double average_precision(const std::vector<double>& distances, const std::vector<bool>& relevant);

struct Retrieval {
  std::vector<int64_t> facts;      ///< labels that are asked for: all that samples of `asked` have
  std::vector<double> precisions;  ///< average precision of each
  double mean() const;             ///< mAP
};

/// Retrieval of images by facts, in eval mode: for each fact of `asked` all images of `searched` are ranked by
/// fact_distances(). An image is relevant where its own fact has all of the asked one's parts with equal vectors: one
/// of <man, riding, horse> is for <man>, <man, riding> and <man, riding, horse>. A fact that no training saw counts
/// like any other. Outputs lie in a nameless file in `scratch`; memory is that of a batch, of the facts' vectors, and
/// of so many `distances` at a time, each 8 bytes, or those of one fact. Throws NotFinite naming the model, and
/// Error(--among, cause) for a fact of which no image is searched. Both have vectors that fit (check_vectors()).
Retrieval measure_retrieval(Model& model, const TaskRecord& task, Dataset& asked, Dataset& searched,
                            const std::string& scratch, int64_t distances = 1 << 23);

}  // namespace mas
