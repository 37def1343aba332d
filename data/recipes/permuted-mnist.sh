#!/usr/bin/env bash
# Permuted MNIST: ten tasks, each with the pixels in an order of its own, the same ten digits and one head (scenario
# domain), learned by every method of the comparison. Writes a table and all numbers as JSON.
#
#   data/recipes/permuted-mnist.sh [--seeds "1 2 3"] [--methods "..."] [--tasks N] [--epochs N] [--jobs N]
#                                  [--models FOLDER] [--out FOLDER] [--data SPEC]
#
# Models stay in --models (build/permuted-mnist), and those that are there are not learned again.
# shellcheck disable=SC2016,SC2154
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/sequence.sh"
usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }
command="data/recipes/permuted-mnist.sh${*:+ ${*@Q}}"
seeds="1 2 3" methods="finetune ewc online-ewc si mas lwf l2 joint" tasks=10 epochs=2 jobs=$cores
models=$root/build/permuted-mnist out=$root/data/results data=mnist
parse_options "seeds methods tasks epochs jobs models out data" "$@"
arch=mlp:1000,1000
threads=$((cores > jobs ? cores / jobs : 1))
training=(--epochs "$epochs" --batch 128 --lr 0.0001 --threads "$threads")
mas-data -q "$data,split=test"  # not there? Say so once, before any work.

# The first task's pixels are as they are; the others' order comes from the run's seed.
run() {  # METHOD SEED
  local list=("p1=$data") k lambda
  lambda=$(lambda_of permuted-mnist "$1" domain)
  for ((k = 2; k <= tasks; k++)); do list+=("p$k=$data,permute=$((1000 * $2 + k))"); done
  learn "$1" domain "$2" "$lambda" "$models/$1-$2.h5" "${list[@]}"
}
for method in $methods; do
  for seed in $seeds; do echo "$method" "$seed"; done
done | in_parallel "$jobs" run

files() { for seed in $seeds; do echo "$models/$1-$seed.h5"; done; }
# shellcheck disable=SC2046
for method in $methods; do summarise "$models/$method.json" $(files "$method"); done
mkdir -p "$out"
{
  printf '# Permuted MNIST\n\n`%s`, seeds %s, %s, %s.\n\n' "$command" "$seeds" "$(mas-train --version)" "$(date -u +%F)"
  printf '%s tasks, scenario domain, %s, %s epochs a task, Adam with lr 0.0001; %%: mean ± standard deviation over seeds.\n\n' "$tasks" "$arch" "$epochs"
  printf '| method | λ | ACC | forgetting |\n|---|---|---|---|\n'
  for method in $methods; do
    printf '| %s | %s | %s | %s |\n' "$method" "$(lambda_of permuted-mnist "$method" domain)" "$(cell acc "$models/$method.json")" "$(cell forgetting "$models/$method.json")"
  done
} >"$out/permuted-mnist.md.part"
{
  comma='{'
  for method in $methods; do
    printf '%s"%s": %s' "$comma" "$method" "$(<"$models/$method.json")"
    comma=','
  done
  printf '}\n'
} >"$out/permuted-mnist.json"
mv "$out/permuted-mnist.md.part" "$out/permuted-mnist.md"
cat "$out/permuted-mnist.md"
