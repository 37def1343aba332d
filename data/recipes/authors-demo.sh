#!/usr/bin/env bash
# The demonstration that the authors of MAS published with their code: split MNIST by task, an MLP of 256 and 256 units, MAS.
# Trained with sgd and the proximal step: Adam, which scales each weight's step, moves weights that matter to and fro.
# Prints ACC and forgetting over seeds beside their figures, and writes them as a table and as JSON.
#
#   data/recipes/authors-demo.sh [--seeds "1 2 3 4 5"] [--lambda N] [--epochs N] [--lr N] [--jobs N]
#                                [--models FOLDER] [--out FOLDER] [--data SPEC]
#
# Models stay in --models (build/authors-demo), and those that are there are not learned again.

# shellcheck disable=SC2016,SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
command=$(command_line "$@")
seeds="1 2 3 4 5" lambda='' epochs=10 lr=0.1 step=proximal jobs=$cores
models=$root/build/authors-demo out=$root/data/results data=mnist,normalize=0.1307:0.3081
parse_options "seeds lambda epochs lr jobs models out data" "$@"
arch=mlp:256,256
lambda=$(lambda_of authors-demo mas task)
training=(--epochs "$epochs" --batch 128 --optimizer sgd --momentum 0.9 --lr "$lr" --schedule cosine)
prepare "$models"
split_tasks "$data"

model() { echo "$models/$1-$(lambda_of authors-demo "$1" task)-$2.h5"; }  # METHOD SEED
run() { learn "$1" task "$2" "$(lambda_of authors-demo "$1" task)" "$(model "$@")"; }
summary_file() { echo "$models/$1.json"; }  # METHOD
learn_cells < <(printf '%s\n' finetune mas)

write_json "$out/authors-demo.json" "mas=$models/mas.json" "finetune=$models/finetune.json"
row() { printf '| %s | %s | %s | %s |\n' "$@"; }
{
  printf "# The authors' demonstration\n\n"
  made_by
  printf 'Split MNIST by task, %s, %s epochs a task, sgd with momentum 0.9, lr %s falling to 0 by a cosine, λ %s, proximal step; mean ± standard deviation over seeds.\n\n' "$arch" "$epochs" "$lr" "$lambda"
  row '' 'ACC, %' 'forgetting, points' 'mean drop, points'
  row --- --- --- ---
  row 'MAS, published' 99.27 0.083 ''
  row 'MAS, published, Ω accumulated over tasks' 98.86 0.071 ''
  for method in mas finetune; do
    row "$method, ours" "$(cell acc "$models/$method.json")" "$(cell forgetting "$models/$method.json" 3)" "$(cell mean_drop "$models/$method.json" 3)"
  done
  printf '\nForgetting is measured from the best that a task ever had, the drop from what it had when it was new (mas-eval); which of\n'
  printf 'them was published is not known.\n'
} >"$out/authors-demo.md.part"
mv "$out/authors-demo.md.part" "$out/authors-demo.md"
cat "$out/authors-demo.md"
