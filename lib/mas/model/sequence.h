#pragma once
#include "mas/model/model.h"

namespace mas {

/// Throws Error naming `later` where the tasks that both models learned aren't the same: their names, scenario and
/// classes, which say what each output means. The rest of the records may differ: methods, and merged models with those
/// that they came from, are compared side by side, and data move to other folders.
void check_same_tasks(const Model& earlier, const Model& later);

/// The same where `later` has to be what further training made of `earlier`: the network is the same, there are more
/// tasks, and the records of those before are as they were, data and seeds included. Records travel unchanged through
/// the tools, so that any difference tells of another chain of trainings.
void check_continues(const Model& earlier, const Model& later);

/// Words of all tasks, each as the last one that has it learned it.
WordIdentities learned_words(const std::vector<TaskRecord>& tasks);

}  // namespace mas
