#pragma once
#include <optional>
#include <string>
#include <vector>

#include "mas/data/loader.h"
#include "mas/data/recording.h"
#include "mas/model/model.h"

namespace mas {

/// How a training keeps what the network answered before, on the new task's samples: no data of earlier tasks, and no
/// importance. Li & Hoiem's warm-up, in which the new head is trained alone first, is TrainOptions::warm_up.
struct DistillOptions {
  enum class Kind {
    kNone,
    kLwf,  ///< learning without forgetting (Li & Hoiem 2016, arXiv 1606.09282)
    kEbll  ///< encoder based lifelong learning (Rannen et al. 2017, arXiv 1704.01920): LwF and codes of features
  } kind = Kind::kNone;
  double temperature = 2;     ///< T
  double weight = 1;          ///< of the outputs' term against the new task's cross entropy
  double code_weight = 0.01;  ///< α, of the codes' term; where 0.01 let a third task of glyphs come to 97 %, 1 held it
                              ///< at 71 and 89 % (two seeds)

  bool active() const { return kind != Kind::kNone; }
};
DistillOptions::Kind parse_distill(const std::string& text);  ///< throws UsageError
/// Adds them to a training's options, where a method is chosen.
void add_to_json(nlohmann::json& object, const DistillOptions& options);
/// Throws nlohmann::json::exception, or UsageError for an unknown method.
DistillOptions parse_distill_options(const nlohmann::json& object);

/// −Σ_c softmax(then / T)_c · log softmax(now / T)_c, mean over samples: Li & Hoiem's eq. 2 and 3, without a factor of
/// T². now, then: outputs before any softmax, [n, outputs].
at::Tensor distillation_loss(const at::Tensor& now, const at::Tensor& then, double temperature);

/// ‖now − then‖², mean over samples: Rannen et al.'s term for codes without its factor of a half. now, then: [n, code].
at::Tensor code_loss(const at::Tensor& now, const at::Tensor& then);

/// Throws Error where nothing can be kept: there are no earlier tasks, or (EBLL) one of them has no encoder.
void check_distillable(const Model& model, const std::vector<TaskRecord>& earlier, const DistillOptions& options);

/// The term weight · Σ distillation_loss over what answers earlier tasks: their heads (scenario task), the one head
/// (domain), the outputs of their classes (class). EBLL adds α · Σ code_loss over the earlier tasks' codes of the
/// features.
class Distillation {
 public:
  /// Of a model to which the task that is to be learned has been added; it must outlive this. Throws as
  /// check_distillable().
  Distillation(const Model& model, const DistillOptions& options);

  /// Records what the model answers as it is now; it must be in eval mode. As Recording's constructor.
  void record(Dataset& data, const std::vector<int64_t>& rows, int64_t batch_size, const std::string& scratch);
  /// Instead, keeps the model as it is now, to answer each batch: for samples that augmentation makes anew each epoch.
  void keep() { before_.emplace(model_.snapshot()); }

  /// The term for a batch, for which these are the network's features now, [n, features].
  at::Tensor loss(const at::Tensor& features, const Batch& batch) const;

 private:
  /// Outputs that have a softmax of their own.
  struct Answer {
    TaskRecord task;
    at::Tensor columns;  ///< which of the head's outputs; undefined: all
  };
  /// All that is compared: outputs, then codes.
  std::vector<at::Tensor> held(const Model& model, const at::Tensor& features) const;
  /// The same side by side, from the model as it was, [n, sum of widths_].
  at::Tensor then(const Batch& batch) const;

  const Model& model_;
  DistillOptions options_;
  std::vector<Answer> answers_;
  std::vector<NamedTensors> encoders_;
  std::vector<int64_t> widths_;  // of what is held
  std::optional<Recording> recording_;
  std::optional<Model> before_;
};

}  // namespace mas
