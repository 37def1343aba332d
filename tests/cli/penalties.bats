#!/usr/bin/env bats
# The penalty methods against PyTorch (penalties.py): importance, all that trainings move, what is merged.

load helper
scenarios=(task domain class)

# data T: of task T.
data() { echo "glyphs,samples=200,classes=$((3 * $1 - 3))-$((3 * $1 - 1))"; }

setup_file() {
  load helper
  cd "$BATS_FILE_TMPDIR" || return
  for t in 1 2 3; do mas-data -q "$(data $t)" -o "data$t.h5"; done
  in_scenarios make_first
}

# in_scenarios COMMAND [ARGUMENT...]: COMMAND SCENARIO ARGUMENT... for each, at once, in folders called like them.
in_scenarios() {
  local scenario job jobs=()
  for scenario in "${scenarios[@]}"; do
    mkdir -p "$scenario"
    (cd "$scenario" && "$1" "$scenario" "${@:2}") &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job"; done
}

# Initial weights, which sgd doesn't move at this rate, and a first task.
make_first() {  # SCENARIO
  local new=(mas-train -q --no-results --arch "mlp:12,8" --scenario "$1" --data "$(data 1)")
  "${new[@]}" --data "$(data 2)" --data "$(data 3)" --epochs 1 --optimizer sgd --lr 1e-12 -o "../$1-fresh.h5"
  "${new[@]}" --epochs 5 --batch 10 --lr 0.01 -o "../$1-first.h5"
}

# chain SCENARIO LAMBDA "IMPORTANCE" TRAINING...: 1.h5 to 3.h5, the first two with importance, or SI's path where IMPORTANCE is
# empty. Both steps come after one task as after two.
chain() {
  local steps=(gradient proximal) t
  [ "$1" != domain ] || steps=(proximal gradient)
  if [ -z "$3" ]; then
    learn 1 --arch "mlp:12,8" --scenario "$1" "${@:4}"
  else
    cp "$(models)/$1-first.h5" 1.h5
  fi
  for t in 1 2; do
    # shellcheck disable=SC2086
    [ -z "$3" ] || mas-importance -q $t.h5 $3 -o $t.h5
    learn $((t + 1)) $t.h5 --lambda "$2" --penalty-step "${steps[t - 1]}" "${@:4}"
  done
}

# learn T OPTIONS...: T.h5 and the report T.txt, by steps that take all samples, whose order is then of no account. Those of adam
# magnify rounding, so that each is judged from where the one before led: T-1.h5 and T-2.h5.
learn() {
  local train=(mas-train "${@:2}" --data "$(data "$1")" --no-results --batch 1000)
  "${train[@]}" --epochs 3 -o "$1.h5" >"$1.txt"
  [[ "$*" == *adam* ]] || return 0
  "${train[@]}" -q --epochs 1 -o "$1-1.h5"
  "${train[@]}" -q --epochs 2 -o "$1-2.h5"
}

judge() {  # COMMAND METHOD [LAMBDA], of penalties.py
  local status=0
  /usr/bin/python3 "$MAS_SOURCE/tests/cli/penalties.py" "$@" "$(models)" "${scenarios[@]}" || status=$?
  [ "$status" -ne 77 ] || skip "needs python3-torch and python3-h5py"
  return "$status"
}

@test "three tasks with MAS are PyTorch's" {
  in_scenarios chain 0.1 "--method mas" --optimizer sgd --lr 0.1
  judge train mas 0.1
}

@test "three tasks with EWC, each with its anchor, are PyTorch's" {
  in_scenarios chain 3 "--method ewc" --optimizer sgd --lr 0.1
  judge train ewc 3
}

@test "three tasks with online EWC are PyTorch's" {
  in_scenarios chain 3 "--method ewc --combine decay:0.6" --optimizer sgd --lr 0.1
  judge train online:0.6 3
  scenarios=(domain)
  in_scenarios chain 3 "--method ewc --combine sum" --optimizer sgd --lr 0.1
  judge train online:1 3
}

@test "three tasks with SI along paths of sgd are PyTorch's" {
  in_scenarios chain 4 "" --track si --optimizer sgd --lr 0.1 --momentum 0.5 --weight-decay 0.01
  judge train si:0.001 4
}

@test "three tasks with SI along paths of adam are PyTorch's" {
  in_scenarios chain 20 "" --track si --xi 0.01 --optimizer adam --lr 0.01 --weight-decay 0.01
  judge train si:0.01 20
}

# merge SCENARIO: what IMM makes of a chain.
merge() {
  for t in 1 2 3; do mas-importance -q $t.h5 --reset --method ewc -o $t.h5; done
  mas-train -q --no-results --merge mean 1.h5 2.h5 3.h5 --merge-weights 3,2,1 -o mean.h5
  mas-train -q --no-results --merge mode 1.h5 2.h5 3.h5 --merge-weights 3,2,1 -o mode.h5
}

@test "three tasks with L2, and what IMM makes of them, are PyTorch's" {
  in_scenarios chain 2 "--method l2" --optimizer sgd --lr 0.1
  judge train l2 2
  in_scenarios merge
  judge merge 3,2,1
}
