#!/usr/bin/env bats
# Every command in the README runs.

load helper

# blocks 0|1: the README's sh and python blocks that a test may run, one script; 1: those of the section about PyTorch. The
# test command would call itself, and installing is tested into a folder of its own (install.bats).
blocks() {
  awk -v want="$1" '
    /^## / { here = /PyTorch/ }
    /^```/ { if (on == "python" && here == want) print "P"
             on = on ? "" : substr($0, 4)
             if (on == "python" && here == want) print "/usr/bin/python3 - <<\"P\""
             next }
    (on == "sh" || on == "python") && here == want' "$MAS_SOURCE/README.md" |
    grep -vx 'tests/run.sh' | grep -v '^cmake -B' | sed "s|^data/recipes/|$MAS_SOURCE/&|"
}

@test "the README's commands run" {
  blocks 0 >commands.sh
  grep -q quickstart commands.sh
  grep -q mas-importance commands.sh
  bash -euo pipefail commands.sh
  [ -s both.h5 ] && [ -s omega.npz ] && [ -s glyphs.png ]
}

@test "the README's way from PyTorch and back runs" {
  /usr/bin/python3 -c 'import torch, h5py' 2>/dev/null || skip "needs python3-torch and python3-h5py"
  blocks 1 >commands.sh
  grep -q "torch.jit.load" commands.sh
  bash -euo pipefail commands.sh >report
  grep -q "^tensor" report
  grep -q "grad_fn=" report
}

@test "the README's table is of the results" {
  results=$MAS_SOURCE/data/results
  grep -E '^\| [a-z-]+ \| [0-9]' "$MAS_SOURCE/README.md" >rows
  [ "$(wc -l <rows)" -ge 4 ]
  while read -r row; do grep -qxF "$row" "$results/split-mnist.md"; done <rows
  grep -qF "| mas, ours | 99.55 ±" "$results/authors-demo.md"
}
