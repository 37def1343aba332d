#!/usr/bin/env bats
# Pipelines as users type them.

load helper
setup_file() { load helper; make_models; }

@test "a pipeline of five stages equals the same steps through files, byte for byte" {
  mas-train -q --arch mlp:20 --data "$small,classes=0-1" --task a --epochs 1 |
    mas-importance -q - |
    mas-train -q - --data "$small,classes=2-3" --task b --epochs 1 |
    mas-importance -q - |
    mas-train -q - --data "$small,classes=4-5" --task c --epochs 1 -o piped.h5
  mas-train -q --arch mlp:20 --data "$small,classes=0-1" --task a --epochs 1 -o 1.h5
  mas-importance -q 1.h5 -o 2.h5
  mas-train -q 2.h5 --data "$small,classes=2-3" --task b --epochs 1 -o 3.h5
  mas-importance -q 3.h5 -o 4.h5
  mas-train -q 4.h5 --data "$small,classes=4-5" --task c --epochs 1 -o 5.h5
  cmp piped.h5 5.h5
  mas-eval piped.h5 | grep "after c"
}

@test "the same command gives the same bytes" {
  mas-train -q --arch convnet --data "$small,limit=100" --epochs 1 --seed 7 -o a.h5
  sleep 1.1
  mas-train -q --arch convnet --data "$small,limit=100" --epochs 1 --seed 7 -o b.h5
  cmp a.h5 b.h5
  mas-train -q --arch convnet --data "$small,limit=100" --epochs 1 --seed 8 -o c.h5
  run -1 cmp -s a.h5 c.h5
}

@test "with the model on standard output, reports go to standard error" {
  mas-importance "$(models)/first.h5" >omega.h5 2>report
  grep -q "samples fed" report
  cmp omega.h5 "$(models)/important.h5"
}

@test "a broken pipe ends quietly" {
  set +o pipefail
  mas-importance -q "$(models)/first.h5" 2>err | true
  [ ! -s err ]
  mas-export "$(models)/both.h5" --format csv 2>err | head -n 1 >/dev/null
  [ ! -s err ]
  mas-eval "$(models)/both.h5" 2>err | true
  [ ! -s err ]
  mas-data "$small" 2>err | true
  [ ! -s err ]
  mas-importance "$(models)/first.h5" -o /dev/stdout | cmp - "$(models)/important.h5"
}

@test "an upstream that failed leaves one line each and nothing is written" {
  set +o pipefail
  mas-train -q --arch mlp:20 --data nowhere.csv 2>err1 | mas-importance -q - -o out.h5 2>err2 || true
  [ "$(wc -l <err1)" -eq 1 ]
  [ "$(cat err2)" = "mas-importance: standard input: empty; did the command that writes it fail?" ]
  [ ! -e out.h5 ]
}

@test "a full disk is an error and leaves no file" {
  [ -w /dev/full ] || skip "no /dev/full"
  run -1 mas-export "$(models)/both.h5" -o /dev/full
  [[ $output == *"No space left"* || $output == *"no space left"* ]]
  mas-eval "$(models)/both.h5" >/dev/full 2>err && false
  [ "$(wc -l <err)" -eq 1 ]
}

@test "a model isn't written to a terminal" {
  script -qec true /dev/null >/dev/null 2>&1 || skip "needs script(1) and a pseudo-terminal"
  run script -qec "mas-importance -q $(models)/first.h5" /dev/null
  [ "$status" -eq 2 ]
  [[ $output == *"mas-importance: standard output: is a terminal"* ]]
}

@test "a tool may write over its own input" {
  cp "$(models)/first.h5" m.h5
  mas-importance -q m.h5 -o m.h5
  cmp m.h5 "$(models)/important.h5"
}

@test "a file where an output can't be made is refused before any work" {
  mkdir folder
  fails 1 "mas-train: folder: is a directory, expected a file" mas-train --arch mlp:20 --data "$small" -o folder
  fails 1 "mas-train: no/m.h5: the folder no doesn't exist" mas-train --arch mlp:20 --data "$small" -o no/m.h5
}

@test "a file is replaced by its own kind only" {
  mas-data -q "$small" -o data.h5
  cp "$(models)/first.h5" m.h5
  sha256sum data.h5 m.h5 >before
  fails 1 "mas-train: data.h5: is there and isn't a model file; remove it first, or name another" \
    mas-train --arch mlp:8 --data data.h5,split=0.8 -o data.h5
  fails 1 "mas-train: data.h5: is there and isn't a model file*" mas-train --arch mlp:8 --data data.h5 --checkpoint data.h5 -o n.h5
  fails 1 "mas-importance: data.h5: is there and isn't a model file*" mas-importance m.h5 -o data.h5
  fails 1 "mas-eval: data.h5: is there and isn't a model file*" mas-eval m.h5 --record data.h5
  fails 1 "mas-export: m.h5: is a model file; remove it first, or name another" mas-export m.h5 --format npz -o m.h5
  fails 1 "mas-data: m.h5: is a model file*" mas-data "$small" -o m.h5
  fails 1 "mas-data: m.h5: is a model file*" mas-data "$small" --sheet m.h5
  echo mine >notes
  fails 1 "mas-data: notes: is there and isn't a drawing*" mas-data "$small" --sheet notes
  fails 1 "mas-data: data.h5: is what is read; name another file" mas-data data.h5,limit=5 -o data.h5
  sha256sum -c before
  : >empty.h5
  mas-importance -q m.h5 -o empty.h5
}

@test "a reader that has seen enough of a long report ends it quietly" {
  mas-data glyphs,kinds=1000,samples=4000 2>err | head -n 1 >/dev/null
  [ ! -s err ]
}

@test "text in place of a model is told from damage" {
  mas-train --arch mlp:8 --data "$small" --epochs 1 -o m.h5 >report
  fails 1 "mas-importance: standard input: text, not an HDF5 file; did the command before it write its model elsewhere, with -o?" \
    mas-importance - <report
}
