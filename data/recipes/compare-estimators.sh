#!/usr/bin/env bash
# Does it matter that importance is exact? Compares the per-sample estimator with gradients averaged over batches of N
# samples before the absolute value, on split MNIST: rank correlation and magnitude of Ω, and what is forgotten, at equal
# λ·mean(Ω), which is the best λ of the exact estimator and those beside it, and at the best λ of each. Writes a page, a plot
# and all numbers as JSON.
#
#   data/recipes/compare-estimators.sh [--seeds "1 2 ... 10"] [--estimators "batch:8 ..."] [--scenarios "task domain"]
#                                      [--lambdas "..."] [--choose-seeds "101 102 103"] [--jobs N] [--models FOLDER]
#                                      [--out FOLDER] [--data SPEC] [--epochs N]
#
# The Ω of each task is divided by its mean (mas-importance --combine normalised), so that equal λ is equal λ·mean(Ω). λ is
# chosen with choose-lambda.sh on seeds and samples that aren't reported. Models stay in --models
# (build/compare-estimators), and those that are there are not learned again.

# shellcheck disable=SC2016,SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
command=$(command_line "$@")
whole=batch:1000000
seeds="1 2 3 4 5 6 7 8 9 10" estimators="batch:8 batch:32 batch:128 $whole" scenarios="task domain" choose_seeds="101 102 103"
lambdas="0.001 0.01 0.1 1 10 100 1000 10000" jobs=$cores models=$root/build/compare-estimators out=$root/data/results
data=mnist,pad=2,normalize=0.1:0.2752 epochs=4
parse_options "seeds estimators scenarios lambdas choose-seeds jobs models out data epochs" "$@"
need gnuplot
arch=mlp:400,400
training=(--epochs "$epochs" --batch 128 --lr 0.001)
prepare "$models"
split_tasks "$data"
compared="per-sample $estimators"
title() { [ "$1" = "$whole" ] && echo whole || echo "$1"; }

# 1. The first task of each seed, its importance by each estimator, and how these agree with the exact one. batch:1 is the
# per-sample estimator by another way: what differs there is rounding.
agree() {  # SEED
  local first=$models/first-$1 estimator others=()
  [ ! -e "$first.json" ] || return 0
  mas-train -q --arch "$arch" --data "${tasks[0]#*=}" --seed "$1" --no-results "${training[@]}" -o "$first.h5"
  mas-importance -q --threads "$threads" "$first.h5" -o "$first-exact.h5"
  for estimator in batch:1 $estimators; do
    mas-importance -q --threads "$threads" "$first.h5" --estimator "$estimator" -o "$first-$estimator.h5"
    others+=("$first-$estimator.h5")
  done
  mas-eval --importance "$first-exact.h5" "${others[@]}" --json >"$first.part"
  rm "$first.h5" "$first-exact.h5" "${others[@]}"
  mv "$first.part" "$first.json"
}
for seed in $seeds; do echo "$seed"; done | in_parallel agree

# 2. λ of each estimator.
for scenario in $scenarios; do
  for estimator in $compared; do
    "$root/data/recipes/choose-lambda.sh" --method "$estimator" --scenario "$scenario" --lambdas "$lambdas" --jobs "$jobs" \
      --seeds "$choose_seeds" --data "$data" --arch "$arch" --epochs "$epochs" --models "$models/choose" >/dev/null
  done
done
best() { sort -k2,2gr "$models/choose/split-$1/$2.dat" | awk 'NR == 1 { print $1 }'; }  # SCENARIO ESTIMATOR

# 3. Runs at the best λ of the exact estimator and at those beside it, the same λ·mean(Ω) for all; and at the best of each.
# The choice among three seeds has an error of its own, which the first comparison is free of.
equal_ones() { tr ' ' '\n' <<<"$lambdas" | sort -g | grep -Fx -B 1 -A 1 "$(best "$1" per-sample)"; }  # SCENARIO
strength() { if [ "$3" = best ]; then best "$1" "$2"; else echo "$3"; fi; }                          # SCENARIO ESTIMATOR WHICH
model() { echo "$models/$1/$2-$(strength "$1" "$2" "$3")-$4.h5"; }                       # ... SEED
run() { learn "$2" "$1" "$4" "$(strength "$1" "$2" "$3")" "$(model "$@")"; }
summary() {  # SCENARIO WHICH: the exact estimator is the first group, which the others are compared with
  local files=() estimator seed
  for estimator in $compared; do
    for seed in $seeds; do files+=("$(model "$1" "$estimator" "$2" "$seed")"); done
  done
  summarise "$models/$1-$2.json" "${files[@]}"
}
every_run() {  # SCENARIO WHICH...
  local which estimator seed
  for which in "${@:2}"; do
    for estimator in $compared; do
      for seed in $seeds; do echo "$1 $estimator $which $seed"; done
    done
  done
}
for scenario in $scenarios; do
  readarray -t equal < <(equal_ones "$scenario")
  every_run "$scenario" "${equal[@]}" | in_parallel run
  every_run "$scenario" best | in_parallel run  # afterwards: where the best λ is among those, the run is too
done
results=()
for scenario in $scenarios; do
  for estimator in $compared; do
    for which in $(equal_ones "$scenario") best; do
      for seed in $seeds; do used+=("$(model "$scenario" "$estimator" "$which" "$seed")"); done
    done
    for lambda in $lambdas; do
      for seed in $choose_seeds; do used+=("$models/choose/split-$scenario/$estimator-$lambda-$seed.h5"); done
    done
  done
  for which in $(equal_ones "$scenario") best; do
    summary "$scenario" "$which"
    results+=("$scenario, λ $which=$models/$scenario-$which.json")
  done
  for estimator in $compared; do
    curve=$models/choose/split-$scenario/$estimator
    jq -Rn '[inputs | split(" ") | map(tonumber) | {lambda: .[0], acc: .[1], old_tasks: .[2], new_tasks: .[3]}]' <"$curve.dat" >"$curve.json"
    results+=("$scenario, held out, $estimator=$curve.json")
  done
done
readarray -t used < <(printf '%s\n' "${used[@]}" | sort -u)
agreements=()
for seed in $seeds; do
  agreements+=("$models/first-$seed.json")
  results+=("first task, seed $seed=$models/first-$seed.json")
done
write_json "$out/estimators.json" "${results[@]}"

# Mean and deviation over seeds of a number out of what agree() found.
agreement() {  # ESTIMATOR FILTER
  jq -rs --arg e "-$1.h5" "$percent"'
    [.[] | .others[] | select(.model | endswith($e)) | '"$2"'] | (add / length) as $m
    | ($m | fixed(3)) + if length > 1 then " ± " + (map(. - $m | . * .) | add / (length - 1) | sqrt | fixed(3)) else "" end' "${agreements[@]}"
}
# Rows of a table, one for each estimator: λ, ACC, forgetting, and ACC's difference to the exact estimator.
rows() {  # SCENARIO WHICH
  local i=0 estimator
  for estimator in $compared; do
    printf '| %s | %s |' "$(title "$estimator")" "$(strength "$1" "$estimator" "$2")"
    jq -r --argjson i "$i" "$percent"'
      .groups[$i] | " \(.acc | spread) | \(.forgetting | spread) | " + (
        if .difference.acc.low then "\(.difference.acc | "\(.mean | percent), \(.low | percent) to \(.high | percent)")" else "" end) + " |"
    ' "$models/$1-$2.json"
    i=$((i + 1))
  done
}
{
  printf '# Exact importance and gradients averaged over batches\n\n'
  made_by
  printf 'Split MNIST, %s, %s epochs a task, Adam. *per-sample* is exact; *batch:N* averages the gradient over N samples before\n' "$arch" "$epochs"
  printf 'the absolute value; *whole* over all samples of the task. Mean ± standard deviation over seeds.\n\n'
  printf '## Ω of the first task\n\nSpearman rank correlation with exact Ω, over weights that are not 0 in both, and mean Ω over exact mean Ω.\n\n'
  printf '| estimator | all weights | first layer | second layer | mean Ω, of exact |\n|---|---|---|---|---|\n'
  for estimator in batch:1 $estimators; do
    printf '| %s | %s | %s | %s | %s |\n' "$(title "$estimator")" "$(agreement "$estimator" .all.rank_correlation)" \
      "$(agreement "$estimator" '.parameters["fc1.weight"].rank_correlation')" \
      "$(agreement "$estimator" '.parameters["fc2.weight"].rank_correlation')" "$(agreement "$estimator" '.all | .other_mean / .mean')"
  done
  printf '\n## What is forgotten\n\n'
  printf "Each task's Ω is divided by its mean, so that equal λ is equal λ·mean(Ω). λ was chosen for each estimator on seeds %s,\n" "$choose_seeds"
  printf 'among %s, on training data held out. The last column: ACC above that of *per-sample*, run by run with the\n' "$lambdas"
  printf 'same seed, mean and 95 %% interval; an interval without 0 is a difference. batch:1 would be the runs of per-sample.\n'
  printf 'At equal λ the estimators alone differ; at the best λ of each also what the three seeds happened to choose.\n'
  for scenario in $scenarios; do
    for which in $(equal_ones "$scenario") best; do
      case $which in
        best) printf '\nScenario %s, each at its own best λ:\n\n' "$scenario" ;;
        "$(best "$scenario" per-sample)") printf '\nScenario %s, all at λ %s, the best for *per-sample*:\n\n' "$scenario" "$which" ;;
        *) printf '\nScenario %s, all at λ %s:\n\n' "$scenario" "$which" ;;
      esac
      printf '| estimator | λ | ACC, %% | forgetting, points | ACC, above per-sample |\n|---|---|---|---|---|\n'
      rows "$scenario" "$which"
    done
  done
  printf '\nACC over λ on the data held out, seeds %s:\n\n' "$choose_seeds"
  for scenario in $scenarios; do printf '![scenario %s](estimators-%s.svg)\n' "$scenario" "$scenario"; done
} >"$out/estimators.md.part"
for scenario in $scenarios; do
  curves=()
  for estimator in $compared; do
    curves+=("'$models/choose/split-$scenario/$estimator.dat' using 1:2 with linespoints title '$(title "$estimator")'")
  done
  draw "$out/estimators-$scenario.svg" "set logscale x; set xlabel 'λ·mean(Ω)'; set ylabel 'ACC, %'; set title 'scenario $scenario';
    plot $(IFS=,; echo "${curves[*]}")"
done
mv "$out/estimators.md.part" "$out/estimators.md"
cat "$out/estimators.md"
