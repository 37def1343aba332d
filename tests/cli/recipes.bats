#!/usr/bin/env bats
# The recipes run on built-in data: what they write, and that they go on where they stopped.

load helper

recipes=$MAS_SOURCE/data/recipes
few=glyphs,samples=300
images=(--arch mlp:120 --train "--epochs 2" --lambda 1 --seeds 1 --models m --out o)
tiny=(--data "glyphs,samples=400" --epochs 2 --models m --out o)

setup_file() { command -v jq >/dev/null || skip "needs jq"; }

# restarts RECIPE...: the second time it learns nothing, and writes the same.
restarts() {
  "$@" >first
  [ -s first ]
  find m -name '*.h5' -exec stat -c '%n %Y %Z %i' {} + | sort >before
  [ -s before ]
  "$@" >second
  find m -name '*.h5' -exec stat -c '%n %Y %Z %i' {} + | sort | cmp - before
  cmp first second
}

@test "intervals of differences are Student's" {
  # shellcheck source=data/recipes/sequence.sh
  percent=$(. "$recipes/sequence.sh" && echo "$percent")
  # SciPy's t.ppf(0.975, n) for n of 1, 2, 9, 10, 20, 29 and 60.
  jq -en "$percent"'[(1, 2, 9, 10, 20, 29, 60) | student] as $got | [12.7062, 4.3027, 2.2622, 2.2281, 2.0860, 2.0452, 2.0003]
    | [., $got] | transpose | all(.[0] - .[1] | fabs < 3e-4)'
  # Of 0 to 11, SciPy's mean -+ t s / sqrt(12).
  [ "$(jq -rn "$percent"'[[range(12) / 100], [range(12) | 0]] | above')" = "+5.50 (+3.21 to +7.79)" ]
  [ "$(jq -rn "$percent"'[[0.25], [0.5]] | above')" = "-25.00" ]
}

@test "split-mnist.sh: every method, restarted" {
  restarts "$recipes/split-mnist.sh" "${tiny[@]}" --seeds 1 --scenarios task --lambda 1 \
    --methods "finetune ewc online-ewc si mas local lwf ebll l2 imm-mean imm-mode joint"
  cmp first o/split-mnist.md
  [ "$(grep -cE '^\| (finetune|ewc|online-ewc|si|mas|local|lwf|ebll|l2|imm-mean|imm-mode|joint) \| ([0-9.]+( ± [0-9.]+)?)? \| [0-9.]+ \|$' first)" -eq 12 ]
  [ "$(grep -cE '^\| [a-z0-9-]+ \| [01] \|$' first)" -eq 12 ]
  grep -qE '^Below what was published by more than .*: (none|[a-z0-9-]+ by task \([0-9.]+\).*)\.$' first
  jq -e '.results | length == 12 and all(.[]; .groups[0].acc.values | length == 1)' o/split-mnist.json
  # The methods aren't one and the same.
  [ "$(jq '[.results[].groups[0].acc.mean] | unique | length' o/split-mnist.json)" -gt 3 ]
}

@test "split-mnist.sh: the other scenarios" {
  "$recipes/split-mnist.sh" "${tiny[@]}" --seeds 1 --scenarios "domain class" --lambda 1 --methods "mas joint" >table
  grep -qE '^\| mas \| 68.57 ± 6.85 \| [0-9.]+ \| 19.52 ± 0.29 \| [0-9.]+ \|$' table
}

@test "permuted-mnist.sh" {
  restarts "$recipes/permuted-mnist.sh" "${tiny[@]}" --count 3 --seeds "1 2" --methods "finetune si joint" --lambda 1
  [ "$(grep -cE '^\| (finetune|si|joint) \| [01] \| [0-9.]+ ± [0-9.]+ \| (-|-?[0-9.]+ ± [0-9.]+) \|$' first)" -eq 3 ]
}

@test "authors-demo.sh" {
  restarts "$recipes/authors-demo.sh" "${tiny[@]}" --seeds 1 --lambda 1
  grep -qE '^\| mas, ours \| [0-9.]+ \| -?[0-9]+[.][0-9]{3} \| -?[0-9]+[.][0-9]{3} \|$' first
}

@test "choose-lambda.sh holds data out, and names the best" {
  restarts "$recipes/choose-lambda.sh" "${tiny[@]:0:6}" --lambdas "0 10" --seeds 101
  grep -qE '^best: mas task (0|10)$' first
  grep -qE '^no (smaller|larger) one was tried: add some to --lambdas$' first
  mas-export m/split-task/mas-10-101.h5 | grep -q "5 tasks learned"
  h5dump -d /tasks m/split-task/mas-10-101.h5 | grep -q "split=train:0.9"
}

@test "choose-lambda.sh holds a fifth of each of other tasks out" {
  "$recipes/choose-lambda.sh" --tasks "a=$few,classes=0-1,split=0.9 b=$few,classes=2-3" --lambdas "1 1.0" --seeds 101 --models m --arch mlp:20 --epochs 1 >first
  grep -qE '^best: mas task (1|1.0)$' first
  grep -qE '^as good: (1|1.0)$' first
  h5dump -d /tasks m/tasks-task/mas-1-101.h5 >tasks
  grep -q "m/data/a.h5,split=train:0.8" tasks
  grep -q "glyphs,classes=2-3,split=train:0.8" tasks
}

@test "compare-estimators.sh" {
  command -v gnuplot >/dev/null || skip "needs gnuplot"
  restarts "$recipes/compare-estimators.sh" "${tiny[@]}" --seeds "1 2" --choose-seeds 101 --lambdas "1 10" --scenarios domain \
    --estimators "batch:8 batch:1000000"
  grep -qE '^\| batch:1 \| 1.000 ± 0.000 \| 1.000 ± 0.000 \| 1.000 ± 0.000 \| 1.000 ± 0.000 \|$' first
  [ "$(grep -cE '^\| whole \| 0[.][0-9]+ ± ' first)" -eq 1 ]
  [ "$(grep -cE '^\| (batch:8|whole) \| (1|10) \| .* to -?[0-9.]+ \|$' first)" -eq 6 ]
  grep -q '</svg>' o/estimators-domain.svg
}

@test "what a recipe can't use is said before any work" {
  fails 2 "split-mnist.sh: --sedes: unknown option; known are --seeds --methods *" "$recipes/split-mnist.sh" --sedes 1
  fails 2 "split-mnist.sh: --seeds: needs a value" "$recipes/split-mnist.sh" --seeds
  fails 1 "*lambdas.txt: no λ of split-mnist, scenario task, for local ebll; find each by choose-lambda.sh --method local --scenario task --arch mlp:400,400 --step gradient with the same data and training (*) and add a line such as 'split-mnist local task λ', or give --lambda for all methods" \
    "$recipes/split-mnist.sh" "${tiny[@]}" --methods "local ewc ebll" --scenarios task
  fails 1 "mas-data: nowhere: *" "$recipes/split-mnist.sh" --data nowhere --methods finetune --models m --out o
  [ ! -e o ] && [ ! -e m ]
  "$recipes/authors-demo.sh" "${tiny[@]}" --seeds 1 --lambda 1 >/dev/null
  fails 1 "authors-demo.sh: m: has models made with other settings (*); name another folder with --models" \
    "$recipes/authors-demo.sh" "${tiny[@]}" --epochs 3 --seeds 1 --lambda 1
}

@test "values that a recipe can't use are said before any work" {
  for jobs in 0 -1 abc 1.5 99999999999999999999; do
    fails 2 "split-mnist.sh: --jobs: must be a whole number from 1 to 9999, got $jobs" \
      "$recipes/split-mnist.sh" "${tiny[@]}" --jobs "$jobs"
  done
  for option in --seeds --methods --jobs --models; do
    fails 2 "permuted-mnist.sh: $option: needs a value" "$recipes/permuted-mnist.sh" "$option" " "
  done
  fails 2 'choose-lambda.sh: --seeds: must be whole numbers such as "1 2 3", got x' "$recipes/choose-lambda.sh" --seeds "1 x"
  fails 2 "eight-tasks.sh: --tasks: must be NAME=SPEC ..., *, got folder,size=8" \
    "$recipes/eight-tasks.sh" --tasks "a=my folder,size=8"
  fails 2 "two-tasks.sh: --tasks: must be NAME=SPEC ..., *, got ../x=glyphs" "$recipes/two-tasks.sh" --tasks "../x=glyphs"
  fails 2 "two-tasks.sh: --tasks: two of them are called a" "$recipes/two-tasks.sh" --tasks "a=glyphs b=glyphs a=facts"
  [ ! -e m ] && [ ! -e o ]
}

@test "one recipe at a time is at work in a folder of models, with one setting" {
  choose=("$recipes/choose-lambda.sh" --tasks "a=$few,classes=0-1 b=$few,classes=2-3" --lambdas 1 --seeds 101 --models m --method si)
  # Where the first run failed, there is nothing to be mixed up with.
  run ! "${choose[@]}" --arch mpl:8
  "${choose[@]}" --arch mlp:8 --epochs 1 --xi 100 >/dev/null
  fails 1 "choose-lambda.sh: m: has models made with other settings (*xi 100*); name another folder with --models" \
    "${choose[@]}" --arch mlp:8 --epochs 1 --xi 0.1
  exec {lock}>m/lock
  flock -n "$lock"
  fails 1 "choose-lambda.sh: m: another recipe, *, is at work there; wait, or name another folder with --models" \
    "${choose[@]}" --arch mlp:8 --epochs 1 --xi 100
}

@test "two-tasks.sh: every ordered pair by every method, with the importance of other data" {
  restarts "$recipes/two-tasks.sh" "${images[@]}" --tasks "a=$few,classes=0-2 b=$few,classes=3-5" \
    --methods "finetune lwf ebll imm-mean imm-mode ewc si mas local joint mas-test mas-both"
  cmp first o/two-tasks.md
  number='-?[0-9]+[.][0-9]{2}'
  [ "$(grep -cE "^\| (finetune|lwf|ebll|imm-mean|imm-mode|ewc|si|mas|local|mas-test|mas-both) \| [01] \| $number \(($number|-)\) · $number \| $number \(($number|-)\) · $number \|$" first)" -eq 12 ]
  grep -qE "^\| joint \| 0 \| $number \(-\) · $number \| $number \(-\) · $number \|$" first
  jq -e '.results | length == 24' o/two-tasks.json
  run ! grep -q Published first
  # What was fed after the first task: of 300 samples the three classes' 90, the 15 of the test part, and both.
  for fed in mas=90 mas-test=15 mas-both=105; do
    [ "$(h5dump -a /importance/count "m/a=b/${fed%=*}-1-1.h5" | sed -n 's/.*(0): //p')" -eq "${fed#*=}" ]
  done
}

@test "eight-tasks.sh: any number of tasks, a table and a drawing" {
  restarts "$recipes/eight-tasks.sh" --name mine "${images[@]}" --methods "finetune mas joint" \
    --tasks "a=$few,classes=0-1 b=$few,classes=2-3 c=$few,classes=4-5,split=train:0.8"
  cmp first o/mine.md
  grep -qE '^\| mas \| 1 \| [0-9.]+ \| -?[0-9.]+( \| [0-9.]+ \(-?[0-9.]+\)){3} \|$' first
  if command -v gnuplot; then [ -s o/mine.svg ]; fi
}

@test "recipes of image sets say which are missing and where they are published" {
  run ! "$recipes/eight-tasks.sh" --lambda 1 --out o --models m
  [ "$(grep -c 'published at http.*; data/fetch/[a-z]*.sh gets it' <<<"$output")" -eq 8 ]
  [ ! -e m ] && [ ! -e o ]
}

facts=(--quick --epochs 1 --pictures 5 --lambda 1 --jobs 2 --models m --out o)

@test "facts in two and in four tasks, by every method" {
  restarts "$recipes/facts-two-tasks.sh" "${facts[@]}" 2>said
  grep -qx "facts-two-tasks.sh: learned [a-z0-9-]*.h5 (8 of 8)" said
  number='-?[0-9]+[.][0-9]{2}'
  [ "$(grep -cE "^\| (finetune|imm-mean|imm-mode|si|ewc|mas|local|joint) \| [01] \| $number \((-|$number)\) \| $number \($number\) \|( [+]?$number)? \| $number \|$" first)" -eq 8 ]
  jq -e '.results | length == 8' o/facts-two-tasks.json
  # The methods aren't one and the same.
  [ "$(jq '[.results[].groups[0].acc.mean] | unique | length' o/facts-two-tasks.json)" -gt 5 ]
  fails 1 "facts-four-tasks.sh: m: has models made with other settings (*); name another folder with --models" \
    "$recipes/facts-four-tasks.sh" "${facts[@]}"
  fails 2 "online.sh: --methods: must be some of mas finetune, got si" "$recipes/online.sh" --methods "mas si"
  fails 2 "online.sh: --pictures: must be even *, got 25" "$recipes/online.sh" --lambda 1 --pictures 25
  rm -r m
  restarts "$recipes/facts-four-tasks.sh" "${facts[@]}" --seeds "1 2" --methods "mas joint"
  number+=" ± $number"
  [ "$(grep -cE "^\| (mas|joint) \| [01]( \| $number \((-|$number)\)){4} \| $number \|$" first)" -eq 2 ]
  "$recipes/facts-four-tasks.sh" "${facts[@]:0:11}" --seeds "1 2" --methods "mas joint"  # where no --out is
  [ -s m/facts-four-tasks.md ] && [ -s m/facts-four-tasks.json ]
}

@test "facts that are used are what importance is measured on" {
  command -v gnuplot >/dev/null || skip "needs gnuplot"
  restarts "$recipes/facts-adaptation.sh" "${facts[@]}" --lambda 100000 --methods "finetune mas"
  [ "$(grep -cE '^\| (finetune \| 0 \| -|mas \| 100000 \| B1[12]?) (\| [0-9.]+ ){3}\|$' first)" -eq 4 ]
  fed() { h5dump -a /importance/count "$1" | sed -n 's/.*(0): //p'; }
  [ "$(grep -E '^\| mas .* B1[12] ' first | cut -d '|' -f 5- | sort -u | wc -l)" -eq 2 ]  # importance of either half
  [ "$(fed m/mas-B11-100000-1.h5)" -eq 120 ] && [ "$(fed m/mas-B1-100000-1.h5)" -eq 240 ]
  want=$(jq '.results as $r | def of($fed; $half): $r["mas, importance of \($fed), mAP of \($half)"][0];
    50 * (of("B11"; "B11") - of("B12"; "B11") + of("B12"; "B12") - of("B11"; "B12"))' o/facts-adaptation.json)
  got=$(sed -nE 's/^mas by importance of its own half .*, mean of both [+]?(.*)[.]$/\1/p' first)
  jq -ne --argjson want "$want" --argjson got "$got" '$want - $got | fabs < 0.006'
  rm -r m
  restarts "$recipes/facts-sport.sh" "${facts[@]}" --methods "finetune mas joint"
  [ "$(grep -cE '^\| (finetune|mas) \| [01] (\| [0-9.]+ ){4}\|$' first)" -eq 2 ]
  grep -qE '^\| joint \| 0 \| \| \| \| [0-9.]+ \|$' first
  grep -qE '^\| random order \| (\| 15[.]73 ){4}\|$' first  # (1 + 1/2 + ... + 1/24) / 24, with a picture a fact
  [ "$(fed m/mas-1-1.h5.B22)" -eq 25 ]  # of five facts of sport
  grep -q '</svg>' o/facts-sport.svg
  jq -e '.results["random order"][0] - 0.1573 | fabs < 1e-4' o/facts-sport.json
  rm -r m
  restarts "$recipes/online.sh" "${facts[@]}" --pictures 20
  [ "$(grep -cE '^\| mas \| (160|40|0) (\| [0-9.]+ ){3}\|$' first)" -eq 3 ]
  [ "$(grep -cE '^\| finetune \| (\| [0-9.]+ ){3}\|$' first)" -eq 1 ]
  grep -qE '^mAP in random order: 4.56[.]$' first
  [ "$(fed m/mas-2-1-1.h5)" -eq 200 ]
  [ "$(jq '.results.mas | length' o/online.json)" -eq 9 ]  # each topic in each role
}
