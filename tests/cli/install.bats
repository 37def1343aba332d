#!/usr/bin/env bats
# What is installed can be used.

load helper

@test "the tools, pages and library install, and find_package(mas) works" {
  cmake --install "$MAS_BIN" --prefix "$PWD/prefix" >/dev/null
  "$PWD/prefix/bin/mas-data" glyphs,samples=100 -q
  for page in man1/mas-train.1 man1/mas-importance.1 man1/mas-eval.1 man1/mas-export.1 man1/mas-data.1 man5/mas-model.5 man7/mas.7; do
    [ -s "prefix/share/man/$page" ] || { echo "$page is missing"; false; }
  done
  mkdir user && cd user || return
  cat >CMakeLists.txt <<'C'
cmake_minimum_required(VERSION 3.22)
project(user LANGUAGES C CXX)
find_package(mas REQUIRED)
add_executable(user main.cpp)
target_link_libraries(user PRIVATE mas::mas)
C
  # Every header that is installed, the last one first, so that few lean on what another has included.
  (cd ../prefix/include && find mas -name '*.h' | sort -r | sed 's/.*/#include "&"/') >main.cpp
  [ "$(wc -l <main.cpp)" -gt 30 ]
  cat >>main.cpp <<'C'
#include <cstdio>

int main() {
  mas::ModelFile model;
  model.weights["w"] = at::ones({2, 3});
  std::printf("%s %zu\n", mas::version(), mas::parse_model(mas::serialize_model(model), "m").weights.size());
}
C
  cmake -B build -DCMAKE_PREFIX_PATH="$OLDPWD/prefix" >/dev/null
  cmake --build build >/dev/null
  [[ $(build/user) == [0-9]*" 1" ]]
}
