#pragma once
#include <string>
#include <utility>
#include <vector>

#include "mas/model/model.h"

namespace mas::test {

inline TaskRecord task_record(const std::string& name, const std::string& data, std::vector<int64_t> classes,
                              Scenario scenario, uint64_t seed) {
  TaskRecord record;
  record.name = name;
  record.data = data;
  record.classes = std::move(classes);
  record.scenario = scenario;
  record.seed = seed;
  return record;
}

}  // namespace mas::test
