#!/usr/bin/env bats
# The methods of the comparison (mas(7), COMPARISON), as their commands are given there.

load helper

data=glyphs,samples=3000

# chain NAME SCENARIO LAMBDA "TRAIN OPTIONS" ["IMPORTANCE OPTIONS"]: NAME1.h5, NAME2.h5, NAME3.h5, the states after three
# tasks; without the last argument no importance is estimated.
chain() {
  local name=$1 model=(--arch mlp:40 --scenario "$2") lambda=() i=0 classes
  for classes in 0-1 2-3 4-5; do
    i=$((i + 1))
    # shellcheck disable=SC2086
    silent mas-train -q "${model[@]}" --data "$data,classes=$classes" --epochs 5 "${lambda[@]}" $4 -o "$name$i.h5"
    model=("$name$i.h5")
    # shellcheck disable=SC2086
    if [ $# -gt 4 ]; then silent mas-importance -q "$name$i.h5" $5 -o omega.h5 && model=(omega.h5); fi
    lambda=(--lambda "$3")
  done
}

# forgetting FILE: in hundredths of a percent.
forgetting() {
  mas-eval "$1" --json | grep -oE '"forgetting": ?[-0-9.e]+' | awk -F: '{ printf "%d", $2 * 10000 }'
}

# old_accuracy FILE: of its own row, the mean over the tasks before the last, in hundredths of a percent.
old_accuracy() {
  mas-eval "$1" --csv | awk -F, 'END { for (i = 2; i < NF; i++) sum += $i; printf "%d", 10000 * sum / (NF - 2) }'
}

# keeps FILE MORE: what it knows of old tasks is at least so much above finetune3.h5; less than 0 leaves room for a few samples.
keeps() {
  local got finetune
  got=$(old_accuracy "$1") finetune=$(old_accuracy finetune3.h5)
  echo "accuracy of $1 on old tasks: $got, of finetune: $finetune"
  [ "$got" -ge $((finetune + $2)) ]
}

# weights FILE: as text.
weights() { mas-export "$1" --format csv --what weights; }

# forgets_less FILE: than finetune1.h5 to finetune3.h5, by a half.
forgets_less() {
  local got finetune
  got=$(forgetting "$1") finetune=$(forgetting finetune3.h5)
  echo "forgetting of $1: $got, of finetune: $finetune"
  [ "$finetune" -gt 500 ] && [ $((2 * got)) -lt "$finetune" ]
}

@test "each method forgets less than finetune" {
  chain finetune domain 0 ""
  chain mas domain 10 "" "--method mas"
  forgets_less mas3.h5
  chain local domain 1 "" "--method local"
  forgets_less local3.h5
  chain ewc domain 3000 "" "--method ewc"
  forgets_less ewc3.h5
  chain online domain 3000 "" "--method ewc --combine decay:0.9"
  forgets_less online3.h5
  run ! cmp -s <(weights ewc3.h5) <(weights online3.h5)
  chain si domain 20 "--track si"
  forgets_less si3.h5
  chain l2 domain 1 "" "--method l2"
  forgets_less l23.h5
  mas-export si3.h5 | grep -q "method si, estimator path:0.001, made after task 3, earlier tasks in it 2, combine sum"
  mas-importance -q ewc3.h5 --method ewc -o ewc.h5
  mas-export ewc.h5 | grep -q "fed after task 3, earlier tasks in it 2, combine anchors"
}

@test "incremental moment matching makes one model of a chain" {
  chain finetune domain 0 ""
  chain l2 domain 0.03 "" "--method l2"
  mas-train --merge mean l21.h5 l22.h5 l23.h5 -o mean.h5 >report
  [ "$(grep -c "^task[123]: [0-9.]* % of the test samples$" report)" -eq 3 ]
  for i in 1 2 3; do mas-importance -q "l2$i.h5" --method ewc -o "f$i.h5"; done
  silent mas-train -q --merge mode --merge-weights 3,2,1 f1.h5 f2.h5 f3.h5 -o mode.h5
  keeps mean.h5 300
  keeps mode.h5 300
  run ! cmp -s <(weights mean.h5) <(weights mode.h5)
  mas-export mode.h5 | grep -q "3 tasks learned$"
  silent mas-train -q --merge mean --no-results l21.h5 l22.h5 l23.h5 -o bare.h5
  cmp <(mas-export mean.h5 --format csv) <(mas-export bare.h5 --format csv)
  # What was recorded of the chain is of networks without merging; merged ones make a matrix of their own.
  [ "$(mas-eval mean.h5 --csv | wc -l)" -eq 2 ]
  [ -z "$(forgetting mean.h5)" ]
  silent mas-train -q --merge mean l21.h5 l22.h5 -o mean2.h5
  mas-eval l21.h5 mean2.h5 mean.h5 | grep -q "^forgetting "
}

@test "models of different chains aren't merged" {
  for seed in 1 2; do
    mas-train -q --seed "$seed" --arch mlp:8 --data "$small,classes=0-1" --epochs 1 -o "$seed-1.h5"
    mas-train -q --seed "$seed" "$seed-1.h5" --data "$small,classes=2-3" --epochs 1 -o "$seed-2.h5"
  done
  fails 1 "mas-train: 2-2.h5: its record of task task1 isn't that in 1-1.h5 (they differ in seed); give the models that one chain of trainings left" \
    mas-train --merge mean 1-1.h5 2-2.h5 -o x.h5
  mas-train -q --seed 1 --arch mlp:8 --data "$small,classes=4-5" --epochs 1 -o other.h5
  fails 1 "mas-train: 1-2.h5: its task task1 has other classes than that of other.h5: not the same task" \
    mas-train --merge mean other.h5 1-2.h5 -o x.h5
  mas-importance -q 1-1.h5 --method ewc --reset -o f1.h5
  mas-importance -q 1-2.h5 --method ewc --fisher empirical -o f2.h5
  fails 1 "mas-train: f2.h5: its Fisher information (fisher-empirical, outputs head) was estimated otherwise than that of f1.h5 (fisher-exact, outputs head); --merge mode needs all alike" \
    mas-train --merge mode f1.h5 f2.h5 -o x.h5
  [ ! -e x.h5 ]
  silent mas-importance -q 1-2.h5 --method ewc -o f2.h5
  silent mas-train -q --merge mode f1.h5 f2.h5 -o x.h5
}

@test "joint training learns all tasks at once, in every scenario" {
  for scenario in task domain class; do
    silent mas-train --arch mlp:40 --scenario "$scenario" --data "$data,classes=0-1" --task a --data "$data,classes=2-3" --task b \
      --data "$data,classes=4-5" --task c --epochs 5 -o "$scenario.h5" >report
    [ "$(grep -cE "^[abc]: ([89][0-9]|100)[.][0-9]* % of the test samples$" report)" -eq 3 ]
    mas-eval "$scenario.h5" --csv >matrix
    [ "$(wc -l <matrix)" -eq 2 ]
    grep -qE "^after c(,(0[.][89]|1[.]0)[0-9]*){3}$" matrix
  done
}

@test "every method goes with every scenario" {
  for scenario in task class; do
    chain finetune "$scenario" 0 ""
    for method in "mas --limit 100" "local --limit 100" "ewc --limit 100" l2; do
      chain "${method%% *}" "$scenario" 1 "" "--method $method"
      keeps "${method%% *}3.h5" -300
    done
    chain si "$scenario" 1 "--track si"
    keeps si3.h5 -300
    silent mas-train -q --merge mean "si1.h5" "si2.h5" "si3.h5" -o merged.h5
    mas-eval -q merged.h5 >/dev/null
  done
}

@test "what a method lacks is said, and which command makes it" {
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --epochs 1 -o 1.h5
  mas-train -q 1.h5 --data "$small,classes=2-3" --epochs 1 -o 2.h5
  fails 2 "mas-importance: --method: si is recorded while a task is trained: mas-train --track si" \
    mas-importance 1.h5 --method si -o x.h5
  fails 1 "mas-train: 1.h5: has no Fisher information of task task1, which --merge mode needs; make it with mas-importance --method ewc" \
    mas-train --merge mode 1.h5 2.h5 -o x.h5
  mas-importance -q 1.h5 -o omega.h5
  mas-train -q omega.h5 --data "$small,classes=2-3" --epochs 1 -o later.h5
  fails 1 "mas-importance: later.h5: the weights that its earlier importance belongs to are gone, and --combine anchors needs them; give it from the first task on, before the next is trained" \
    mas-importance later.h5 --combine anchors -o x.h5
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --epochs 1 --track si -o si.h5
  fails 1 "mas-importance: si.h5: holds samples of method si, estimator path:0.001, outputs head; feed the same, or start anew with --reset" \
    mas-importance si.h5 -o x.h5
  [ ! -e x.h5 ]
}

# goes_on FILE COMMAND...: FILE.h5 is of COMMAND's model, and the next task was trained with what COMMAND made.
goes_on() {
  silent "${@:2}" -q -o omega.h5
  silent mas-train -q omega.h5 --data "$small,classes=2-3" --epochs 1 --lambda 0.1 -o "$1.h5"
}

@test "a model keeps to the method that it began with, but for l2" {
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --epochs 1 -o 1.h5
  for method in mas ewc l2; do goes_on "$method" mas-importance 1.h5 --method "$method"; done
  held() { echo "$1: its finished tasks hold importance of $2, outputs head, and no other adds to it; go on with the same, or drop it with mas-importance --forget"; }
  fails 1 "mas-importance: $(held ewc.h5 "method ewc, estimator fisher-exact")" mas-importance ewc.h5 -o x.h5
  fails 1 "mas-importance: $(held mas.h5 "method mas, estimator per-sample")" mas-importance mas.h5 --method ewc --reset -o x.h5
  fails 1 "mas-importance: $(held mas.h5 "method mas, estimator per-sample")" mas-importance mas.h5 --estimator batch:20 -o x.h5
  # Before the training that would end with it.
  fails 1 "mas-train: $(held ewc.h5 "method ewc, estimator fisher-exact")" \
    mas-train ewc.h5 --data "$small,classes=4-5" --track si --epochs 1000000 -o x.h5
  [ ! -e x.h5 ]

  silent mas-importance -q l2.h5 --method ewc -o after.h5
  mas-export after.h5 | grep -q "method ewc, estimator fisher-exact, .* after task 2, earlier tasks in it 0, combine anchors"
  silent mas-importance -q l2.h5 -o after.h5
  mas-export after.h5 | grep -q "method mas, estimator per-sample, .* after task 2, earlier tasks in it 0, combine sum"
  silent mas-train -q l2.h5 --data "$small,classes=4-5" --track si --epochs 1 -o after.h5
  mas-export after.h5 | grep -q "method si, estimator path:0.001, made after task 3, earlier tasks in it 0, combine sum"
  fails 1 "mas-train: $(held after.h5 "method si, estimator path:0.001")" \
    mas-train after.h5 --data "$small,classes=6-7" --track si --xi 0.1 --lambda 0.1 -o x.h5
  silent mas-importance -q mas.h5 --method l2 -o after.h5
  mas-export after.h5 | grep -q "method l2, estimator constant, made after task 2, earlier tasks in it 0, combine sum"
}

@test "all importance can be forgotten, so that another begins" {
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --epochs 1 -o 1.h5
  goes_on 2 mas-importance 1.h5 --combine ema:0.5
  mas-importance -q 2.h5 -o 2.h5
  silent mas-importance 2.h5 --forget -o bare.h5 >report
  [ "$(cat report)" = "all importance forgotten" ]
  mas-export bare.h5 | grep -q "2 tasks learned$"
  mas-importance -q 2.h5 --forget | silent mas-importance -q - --method ewc -o ewc.h5
  mas-export ewc.h5 | grep -q "method ewc, .* earlier tasks in it 0, combine anchors"
  silent mas-train -q bare.h5 --data "$small,classes=4-5" --track si --epochs 1 -o si.h5
  for option in "--data $small" "--method ewc" "--merge 1.h5" --reset "--combine sum" "--limit 5"; do
    # shellcheck disable=SC2086
    fails 2 "mas-importance: ${option%% *}: has no meaning with --forget, which feeds nothing" \
      mas-importance 2.h5 --forget $option -o x.h5
  done
  [ ! -e x.h5 ]
}

@test "options that don't go together are refused" {
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --epochs 1 -o 1.h5
  fails 2 "mas-importance: --data: has no meaning with --method l2, which reads none" mas-importance 1.h5 --method l2 --data "$small" -o x.h5
  fails 2 "mas-importance: --limit: has no meaning with --method l2, which reads no data" mas-importance 1.h5 --method l2 --limit 5 -o x.h5
  fails 2 "mas-importance: --combine: has no meaning with --method l2: its omega is 1, whatever came before" \
    mas-importance 1.h5 --method l2 --combine sum -o x.h5
  fails 2 "mas-train: --track: must be si, got mas" mas-train 1.h5 --data "$small" --track mas -o x.h5
  fails 2 "mas-train: --xi: is for --track si" mas-train 1.h5 --data "$small" --xi 0.1 -o x.h5
  fails 2 "mas-train: --task: 1 name for 2 --data: each --data is a task of its own in joint training; give each a name, or none" \
    mas-train --arch mlp:8 --data "$small,classes=0-1" --data "$small,classes=2-3" --task a -o x.h5
  fails 1 "mas-train: glyphs,samples=400,size=9x9: samples of 1 x 9 x 9 values, but mlp:8 takes 1 x 28 x 28" \
    mas-train --arch mlp:8 --data "$small" --data "$small,size=9x9" -o x.h5
  fails 2 "mas-train: --merge-weights: is for --merge" mas-train 1.h5 --data "$small" --merge-weights 1,2 -o x.h5
  fails 2 "mas-train: --epochs: has no meaning with --merge, which trains nothing" mas-train --merge mean 1.h5 1.h5 --epochs 3 -o x.h5
  fails 2 "mas-train: --merge: must be mean or mode, got median" mas-train --merge median 1.h5 1.h5 -o x.h5
  fails 2 "mas-train: --merge: needs two models or more, those after each task" mas-train --merge mean 1.h5 -o x.h5
  fails 1 "mas-train: 1.h5: has learned no more tasks than 1.h5; give the models in the order of learning" \
    mas-train --merge mean 1.h5 1.h5 -o x.h5
  [ ! -e x.h5 ]
}
