#!/usr/bin/env bash
# Split MNIST as in Hsu et al. 2018: five tasks of two digits, learned by every method of the comparison in the scenarios
# task, domain and class. Writes a table with the published figures beside ours, and all numbers as JSON.
#
#   data/recipes/split-mnist.sh [--seeds "1 2 ... 10"] [--methods "..."] [--scenarios "..."] [--lambda N] [--jobs N]
#                               [--models FOLDER] [--out FOLDER] [--data SPEC] [--epochs N]
#
# Models stay in --models (build/split-mnist), and those that are there are not learned again. The table goes to --out
# (data/results). mnist: data/fetch/mnist.sh gets it.

# shellcheck disable=SC2016,SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
command=$(command_line "$@")
seeds="1 2 3 4 5 6 7 8 9 10" methods="finetune ewc online-ewc si mas lwf l2 joint" scenarios="task domain class"
lambda='' jobs=$cores models=$root/build/split-mnist out=$root/data/results data=mnist,pad=2,normalize=0.1:0.2752 epochs=4
parse_options "seeds methods scenarios lambda jobs models out data epochs" "$@"
arch=mlp:400,400
training=(--epochs "$epochs" --batch 128 --lr 0.001)
cells() {
  for scenario in $scenarios; do
    for method in $methods; do echo "$method" "$scenario"; done
  done
}
# shellcheck disable=SC2086
for scenario in $scenarios; do need_lambdas split-mnist "$scenario" $methods; done
prepare "$models"
split_tasks "$data"

# Accuracies of Hsu et al. 2018 (arXiv 1810.12488): method, task, domain, class.
published="finetune|93.46|55.16|19.71
ewc|97.70|58.85|19.80
online-ewc|98.04|57.33|19.77
si|98.56|64.76|19.67
mas|99.22 ± 0.21|68.57 ± 6.85|19.52 ± 0.29
lwf|99.60|71.02|24.17
l2|98.18|66.00|22.52
joint|99.52|98.59|97.53"

published_of() {  # METHOD SCENARIO
  local column
  column=$(case $2 in task) echo 2 ;; domain) echo 3 ;; *) echo 4 ;; esac)
  awk -F'|' -v m="$1" -v c="$column" '$1 == m { print $c }' <<<"$published"
}
# Means below what was published by more than two of its standard deviations, or 0.5 points where none is printed.
below_published() {
  local method scenario
  while read -r method scenario; do
    awk -v name="$method by $scenario" -v ours="$(cell acc "$(summary_file "$method" "$scenario")")" \
      -v theirs="$(published_of "$method" "$scenario")" 'BEGIN {
        deviation = 0.25
        if (split(theirs, part, " ± ") == 2) deviation = part[2]
        if (theirs != "" && ours + 2 * deviation < part[1] + 0) printf "%s (%.2f)\n", name, part[1] - ours
      }'
  done < <(cells) | paste -sd, - | sed 's/,/, /g'
}

model() { echo "$models/$2/$1-$(lambda_of split-mnist "$1" "$2")-$3.h5"; }  # METHOD SCENARIO SEED
run() { learn "$1" "$2" "$3" "$(lambda_of split-mnist "$1" "$2")" "$(model "$@")"; }
summary_file() { echo "$models/$2/$1.json"; }  # METHOD SCENARIO
results=()
learn_cells < <(cells)
while read -r method scenario; do results+=("$method, $scenario=$(summary_file "$method" "$scenario")"); done < <(cells)
write_json "$out/split-mnist.json" "${results[@]}"
{
  printf '# Split MNIST\n\n'
  made_by
  printf 'Five tasks of two digits, %s, %s epochs a task, Adam; accuracy over all tasks at the end, %%: mean ± standard\n' "$arch" "$epochs"
  printf 'deviation over seeds. Published: Hsu et al. 2018 (arXiv 1810.12488), means of 10 runs. λ was chosen on other seeds and on\n'
  printf 'training data held out (`choose-lambda.sh`). joint sees all data at once, which no sequence of tasks does.\n\n'
  head='| method |' rule='|---|'
  for scenario in $scenarios; do head+=" $scenario, published | $scenario, ours |" rule+='---|---|'; done
  printf '%s\n%s\n' "$head" "$rule"
  for method in $methods; do
    row="| $method |"
    for scenario in $scenarios; do
      row+=" $(published_of "$method" "$scenario") |"
      row+=" $(cell acc "$(summary_file "$method" "$scenario")") |"
    done
    printf '%s\n' "$row"
  done
  below=$(below_published)
  printf '\nBelow what was published by more than two of its standard deviations (0.5 points where none is printed): %s.\n' "${below:-none}"
  [ -z "$below" ] || printf 'In class the published network has ten outputs from the start, and this one gets those of a task with the task.\n'
  printf '\nStrength: λ, of lwf and ebll the weight of distillation.\n\n| method | %s |\n|---|%s\n' "${scenarios// / | }" \
    "$(for scenario in $scenarios; do printf -- '---|'; done)"
  for method in $methods; do
    row="| $method |"
    for scenario in $scenarios; do row+=" $(lambda_of split-mnist "$method" "$scenario") |"; done
    printf '%s\n' "$row"
  done
} >"$out/split-mnist.md.part"
mv "$out/split-mnist.md.part" "$out/split-mnist.md"
cat "$out/split-mnist.md"
