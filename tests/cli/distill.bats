#!/usr/bin/env bats
# Distillation: earlier tasks are kept by their outputs on the new data.

load helper
setup_file() { load helper; make_models; }

# accuracies MODEL: after the last task, one a line.
accuracies() { mas-eval "$1" --json | /usr/bin/python3 -c 'import json, sys; print(*json.load(sys.stdin)["accuracy"][-1], sep="\n")'; }

# chain NAME OPTIONS...: three tasks of three digits; the later ones are trained with the options.
chain() {
  local name=$1
  shift
  mas-train -q --arch mlp:60 --data glyphs,classes=0-2,samples=1500 --epochs 3 --task a --code 20 -o "$name"-1.h5
  mas-train -q "$name"-1.h5 --data glyphs,classes=3-5,samples=1500 --epochs 3 --task b "$@" -o "$name"-2.h5
  mas-train -q "$name"-2.h5 --data glyphs,classes=6-8,samples=1500 --epochs 3 --task c "$@" -o "$name"-3.h5
}

# The mean accuracy of three tasks is better by two points than without distillation.
better() {  # NAME
  accuracies plain-3.h5 >plain
  accuracies "$1-3.h5" | paste plain - | tee columns
  awk '{ plain += $1; kept += $2 } END { exit !(kept / NR > plain / NR + 0.02) }' columns
}

@test "three tasks with LwF or EBLL forget less than without" {
  chain plain
  chain lwf --distill lwf
  better lwf
  chain ebll --distill ebll
  better ebll
}

# The first step's loss and all that it moves, against distill.py.
judge() {  # SCENARIO CLASSES METHOD
  local status=0 code=0 code_weight=0 train=(mas-train old.h5 --data "$small,classes=$2" --task new --epochs 1 --batch 1000
    --optimizer sgd --distill "$3" --temperature 3 --distill-weight 0.7)
  [ "$3" != ebll ] || code=5 code_weight=0.4 train+=(--code-weight 0.4)
  mas-train -q --arch mlp:20,12 --scenario "$1" --data "$small,classes=0-2" --task a --epochs 1 --code $code -o 1.h5
  mas-train -q 1.h5 --data "$small,classes=3-5" --task b --epochs 1 --code $code -o old.h5
  mas-data -q "$small,classes=$2" -o images.h5
  "${train[@]}" -q --lr 1e-12 -o start.h5
  "${train[@]}" --lr 0.1 -o next.h5 >report
  /usr/bin/python3 "$MAS_SOURCE/tests/cli/distill.py" images.h5 old.h5 start.h5 next.h5 0.1 3 0.7 $code_weight >judged || status=$?
  [ "$status" -ne 77 ] || skip "needs python3-torch and python3-h5py"
  cat judged
  [ "$(sed -n 's/^epoch 1\/1  loss \([0-9.]*\)  distill \([0-9.]*\)  .*/loss \1 distill \2/p' report)" = "$(head -n 1 judged)" ]
  return "$status"
}

@test "a step with LwF is PyTorch's, in scenario task" { judge task 6-8 lwf; }
@test "a step with LwF is PyTorch's, in scenario domain" { judge domain 6-8 lwf; }
@test "a step with LwF is PyTorch's, in scenario class" { judge class 6-9 lwf; }
@test "a step with EBLL is PyTorch's, in scenario task" { judge task 6-8 ebll; }
@test "a step with EBLL is PyTorch's, in scenario domain" { judge domain 6-8 ebll; }
@test "a step with EBLL is PyTorch's, in scenario class" { judge class 6-9 ebll; }

@test "the code of a task is reported, stays in the file, and sizes that of the next task" {
  mas-train --arch mlp:20 --data "$small,classes=0-2" --epochs 2 --code 7 -o 1.h5 >report
  grep -q '^code  error [0-9.]*  accuracy [0-9.]* %$' report
  mas-importance -q 1.h5 -o 2.h5
  mas-train -q 2.h5 --data "$small,classes=3-5" --epochs 2 --distill ebll -o 3.h5
  /usr/bin/python3 -c 'import h5py' || skip "needs python3-h5py"
  /usr/bin/python3 - <<'P'
import h5py
with h5py.File("1.h5", "r") as a, h5py.File("3.h5", "r") as b:
    assert list(a["encoders"]) == ["task1"] and sorted(b["encoders"]) == ["task1", "task2"]
    for name in ("weight", "bias"):
        assert (a["encoders/task1"][name][:] == b["encoders/task1"][name][:]).all()
    assert b["encoders/task2/weight"].shape == (7, 20)
P
}

@test "encoders that another program made wrong" {
  /usr/bin/python3 -c 'import h5py' || skip "needs python3-h5py"
  mas-train -q --arch mlp:20 --data "$small,classes=0-2" --epochs 1 --task a --code 7 -o 1.h5
  make() {  # SCRIPT: changes a plain copy of the model in f
    /usr/bin/python3 - "$1" <<'P'
import sys, h5py
with h5py.File("1.h5", "r") as a, h5py.File("bad.h5", "w") as f:
    for k, v in a.attrs.items(): f.attrs[k] = v
    for k in a: a.copy(k, f)
    exec(sys.argv[1])
P
  }
  make 'f["encoders/a/bias"][0] = float("nan")'
  fails 1 "mas-export: bad.h5: /encoders/a/bias: holds NaN or infinity" mas-export bad.h5
  next=(mas-train bad.h5 --data "$small,classes=3-5" -o m.h5)
  make 'del f["encoders/a/bias"]; f["encoders/a/bias"] = [1.0]'
  fails 1 "mas-train: bad.h5: the encoder of task a isn't a float32 weight of N x 20 and a bias of N" "${next[@]}"
  make 'f.move("encoders/a", "encoders/b")'
  fails 1 "mas-train: bad.h5: has no task named b" "${next[@]}"
  make 'del f["encoders"]; f["encoders"] = [1.0]'
  fails 1 "mas-train: bad.h5: *encoders*" "${next[@]}"
}

@test "an interrupted training goes on bit for bit" {
  resumes_exactly mas-train "$(models)/both.h5" --data "$small,classes=2-6" --distill lwf
}

@test "with distillation the penalty waits for --lambda" {
  next=(--data "$small,classes=5-9" --epochs 1 --distill lwf)
  mas-train "$(models)/important.h5" "${next[@]}" -o m.h5 | grep -q "^epoch 1/1  loss [0-9.]*  distill [0-9.]*  accuracy"
  mas-train "$(models)/important.h5" "${next[@]}" --lambda 1 -o m.h5 | grep -q "  penalty [0-9.]*  distill [0-9.]*  "
  silent mas-train "$(models)/first.h5" "${next[@]}" -o m.h5
  fails 1 "mas-train: $(models)/first.h5: has no importance, so --lambda has nothing to weigh*" \
    mas-train "$(models)/first.h5" "${next[@]}" --lambda 1 -o x.h5
}

@test "what distillation lacks is said before any work" {
  fails 2 "mas-train: --distill: must be lwf or ebll, got lfw" mas-train "$(models)/first.h5" --data "$small" --distill lfw -o m.h5
  fails 2 "mas-train: --distill: keeps what earlier tasks taught, and a new network has learned none; leave it out for the first task" \
    mas-train --arch mlp:8 --data "$small" --distill lwf -o m.h5
  fails 2 "mas-train: --temperature: needs --distill" mas-train "$(models)/first.h5" --data "$small" --temperature 3 -o m.h5
  fails 2 "mas-train: --distill-weight: needs --distill" mas-train "$(models)/first.h5" --data "$small" --distill-weight 3 -o m.h5
  fails 2 "mas-train: --temperature: must be a number *, got 0*" \
    mas-train "$(models)/first.h5" --data "$small" --distill lwf --temperature 0 -o m.h5
  fails 2 "mas-train: --code-weight: needs --distill ebll" \
    mas-train "$(models)/first.h5" --data "$small" --distill lwf --code-weight 3 -o m.h5
  fails 1 "mas-train: $(models)/first.h5: task first has no encoder, which --distill ebll needs; train it with mas-train --code N, or use --distill lwf" \
    mas-train "$(models)/first.h5" --data "$small,classes=5-9" --distill ebll -o m.h5
  fails 2 "mas-train: --code: a code of 20 has to be smaller than the 20 features of mlp:20; give a smaller one" \
    mas-train --arch mlp:20 --data "$small" --code 20 -o m.h5
  fails 2 "mas-train: --code: must be a whole number *, got -1*" mas-train --arch mlp:20 --data "$small" --code -1 -o m.h5
  TMPDIR=/nowhere fails 1 "mas-train: /nowhere: can't keep data there: no such file or directory; name another folder with TMPDIR" \
    mas-train "$(models)/first.h5" --data "$small,classes=5-9" --distill lwf -o m.h5
  TMPDIR=/nowhere fails 1 "mas-train: /nowhere: can't keep data there: *" mas-train --arch mlp:20 --data "$small" --code 5 -o m.h5
  [ ! -e m.h5 ]
}

@test "a module with importance that has learned no task has no outputs to keep" {
  /usr/bin/python3 -c 'import torch; torch.jit.script(torch.nn.Linear(4, 2)).save("net.pt")' || skip "needs python3-torch"
  for ((i = 0; i < 20; i++)); do echo "$i,2,3,$((i * i % 7)),$((i % 2))"; done >rows.csv
  mas-importance -q net.pt --data rows.csv -o none.h5
  fails 1 "mas-train: none.h5: has learned no task, so --distill has no outputs to keep; train a first task with mas-train, without it" \
    mas-train none.h5 --data rows.csv --distill lwf -o m.h5
}
