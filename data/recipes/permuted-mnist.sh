#!/usr/bin/env bash
# Permuted MNIST: --count tasks (10), each with the pixels in an order of its own, the same ten digits and one head (scenario
# domain), learned by every method of the comparison. Writes a table and all numbers as JSON.
#
#   data/recipes/permuted-mnist.sh [--seeds "1 2 3"] [--methods "..."] [--count N] [--epochs N] [--lambda N] [--jobs N]
#                                  [--models FOLDER] [--out FOLDER] [--data SPEC]
#
# Models stay in --models (build/permuted-mnist), and those that are there are not learned again.

# shellcheck disable=SC2016,SC2086,SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
command=$(command_line "$@")
seeds="1 2 3" methods="finetune ewc online-ewc si mas lwf l2 joint" count=10 epochs=2 lambda='' jobs=$cores
models=$root/build/permuted-mnist out=$root/data/results data=mnist
parse_options "seeds methods count epochs lambda jobs models out data" "$@"
arch=mlp:400,400 xi=0.1
training=(--epochs "$epochs" --batch 128 --lr 0.001)
need_lambdas permuted-mnist domain $methods
prepare "$models/$count"

model() { echo "$models/$count/$1-$(lambda_of permuted-mnist "$1" domain)-$2.h5"; }  # METHOD SEED
run() {
  permuted_tasks "$data" "$count" "$2"
  learn "$1" domain "$2" "$(lambda_of permuted-mnist "$1" domain)" "$(model "$@")"
}
summary_file() { echo "$models/$count/$1.json"; }  # METHOD
results=()
learn_cells < <(printf '%s\n' $methods)
for method in $methods; do results+=("$method=$(summary_file "$method")"); done
write_json "$out/permuted-mnist.json" "${results[@]}"
{
  printf '# Permuted MNIST\n\n'
  made_by
  printf '%s tasks, scenario domain, %s, %s epochs a task, Adam, ξ of SI 0.1; %%: mean ± standard deviation over seeds. λ was chosen on\n' "$count" "$arch" "$epochs"
  printf 'another seed and on training data held out (`choose-lambda.sh`).\n\n'
  printf '| method | λ | ACC | forgetting |\n|---|---|---|---|\n'
  for method in $methods; do
    summary=$(summary_file "$method")
    printf '| %s | %s | %s | %s |\n' "$method" "$(lambda_of permuted-mnist "$method" domain)" "$(cell acc "$summary")" "$(cell forgetting "$summary")"
  done
} >"$out/permuted-mnist.md.part"
mv "$out/permuted-mnist.md.part" "$out/permuted-mnist.md"
cat "$out/permuted-mnist.md"
