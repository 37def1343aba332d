#!/usr/bin/env bats
# Every command in the README runs.

load helper

# blocks: the README's sh blocks that a test may run, one script. The test command would call itself, and installing is
# tested into a folder of its own (install.bats).
blocks() {
  awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$MAS_SOURCE/README.md" |
    grep -vx 'tests/run.sh' | grep -v '^cmake -B' | sed "s|^data/recipes/|$MAS_SOURCE/&|"
}

@test "the README's commands run" {
  blocks >commands.sh
  grep -q quickstart commands.sh
  grep -q mas-importance commands.sh
  bash -euo pipefail commands.sh
  [ -s both.h5 ] && [ -s omega.npz ] && [ -s glyphs.png ]
}
