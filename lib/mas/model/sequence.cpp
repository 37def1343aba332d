#include "mas/model/sequence.h"

#include <fmt/format.h>

#include <algorithm>

#include "mas/error.h"

namespace mas {

void check_same_tasks(const Model& earlier, const Model& later) {
  const auto &before = earlier.tasks(), &after = later.tasks();
  for (size_t i = 0; i < std::min(before.size(), after.size()); i++) {
    if (before[i].name != after[i].name) {
      throw Error(later.name(), fmt::format("learned {} where {} learned {}: not the same sequence of tasks",
                                            after[i].name, earlier.name(), before[i].name));
    }
    if (before[i].scenario != after[i].scenario) {
      throw Error(later.name(),
                  fmt::format("learned {} in scenario {}, but {} in scenario {}", after[i].name,
                              to_string(after[i].scenario), earlier.name(), to_string(before[i].scenario)));
    }
    if (before[i].classes != after[i].classes) {
      throw Error(later.name(), fmt::format("its task {} has other classes than that of {}: not the same task",
                                            after[i].name, earlier.name()));
    }
  }
}

void check_continues(const Model& earlier, const Model& later) {
  if (earlier.file.arch != later.file.arch || earlier.file.script != later.file.script)
    throw Error(later.name(), fmt::format("its network isn't that of {}", earlier.name()));
  check_same_tasks(earlier, later);
  const auto &before = earlier.file.tasks, &after = later.file.tasks;
  if (after.size() <= before.size()) {
    throw Error(later.name(), fmt::format("has learned no more tasks than {}; give the models in the order of learning",
                                          earlier.name()));
  }
  for (size_t i = 0; i < before.size(); i++) {
    if (before[i] == after[i]) continue;
    const auto entry = nlohmann::json::diff(before[i], after[i]).at(0).at("path").get<std::string>();
    throw Error(later.name(),
                fmt::format("its record of task {} isn't that in {} (they differ in {}); give the models that one "
                            "chain of trainings left",
                            later.tasks()[i].name, earlier.name(), entry.substr(1)));
  }
}

WordIdentities learned_words(const std::vector<TaskRecord>& tasks) {
  WordIdentities all;
  for (const auto& task : tasks)
    for (const auto& [word, identity] : task.words) all[word] = identity;
  return all;
}

}  // namespace mas
