#!/usr/bin/env bash
# The demonstration that the authors of MAS published with their code: split MNIST by task, an MLP of 256 and 256 units, MAS.
# Prints ACC and forgetting over seeds beside their figures, and writes them as a table and as JSON.
#
#   data/recipes/authors-demo.sh [--seeds "1 2 3 4 5"] [--lambda N] [--epochs N] [--lr N] [--jobs N]
#                                [--models FOLDER] [--out FOLDER] [--data SPEC]
#
# Models stay in --models (build/authors-demo), and those that are there are not learned again.
# shellcheck disable=SC2016,SC2154
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/sequence.sh"
usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }
command="data/recipes/authors-demo.sh${*:+ ${*@Q}}"
seeds="1 2 3 4 5" lambda=0.3 epochs=4 lr=0.001 jobs=$cores models=$root/build/authors-demo out=$root/data/results data=mnist
parse_options "seeds lambda epochs lr jobs models out data" "$@"
arch=mlp:256,256
threads=$((cores > jobs ? cores / jobs : 1))
training=(--epochs "$epochs" --batch 128 --lr "$lr" --threads "$threads")
mas-data -q "$data,split=test"  # not there? Say so once, before any work.

tasks=()
for digits in 0-1 2-3 4-5 6-7 8-9; do tasks+=("$digits=$data,classes=$digits"); done
run() { learn "$1" task "$2" "$lambda" "$models/$1-$2.h5" "${tasks[@]}"; }
for method in finetune mas; do
  for seed in $seeds; do echo "$method" "$seed"; done
done | in_parallel "$jobs" run

files() { for seed in $seeds; do echo "$models/$1-$seed.h5"; done; }
row() { printf '| %s | %s | %s |\n' "$1" "$2" "$3"; }
# shellcheck disable=SC2046
for method in mas finetune; do summarise "$models/$method.json" $(files $method); done
mkdir -p "$out"
{
  printf '# The authors'"'"' demonstration\n\n`%s`, seeds %s, λ %s, %s, %s.\n\n' "$command" "$seeds" "$lambda" "$(mas-train --version)" "$(date -u +%F)"
  printf 'Split MNIST by task, %s, %s epochs a task, Adam; mean ± standard deviation over seeds.\n\n' "$arch" "$epochs"
  row '' 'ACC, %' 'forgetting, points'
  row --- --- ---
  row 'MAS, published' 99.27 0.083
  row 'MAS, published, Ω accumulated over tasks' 98.86 0.071
  for method in mas finetune; do
    row "$method, ours" "$(cell acc "$models/$method.json")" "$(cell forgetting "$models/$method.json")"
  done
} >"$out/authors-demo.md.part"
printf '{"mas": %s, "finetune": %s}\n' "$(<"$models/mas.json")" "$(<"$models/finetune.json")" >"$out/authors-demo.json"
mv "$out/authors-demo.md.part" "$out/authors-demo.md"
cat "$out/authors-demo.md"
