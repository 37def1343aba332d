#!/usr/bin/env bash
# A sequence of object recognition tasks, learned by every method of the comparison: as published, flowers, scenes, birds, cars,
# aircraft, actions, letters and svhn. Writes each task's accuracy at the end and its drop as a table, all numbers as JSON, and
# draws MAS's accuracies along the sequence where gnuplot is installed.
#
#   data/recipes/eight-tasks.sh [--tasks "NAME=SPEC ..."] [--methods "..."] [--seeds "1 2 3"] [--arch ARCH] [--init WEIGHTS]
#                               [--train "OPTIONS"] [--experiment NAME] [--lambda N] [--jobs N] [--models FOLDER] [--out FOLDER]
#                               [--name NAME]
#
# Any number of other sets can be named with --tasks; --train then has the options for mas-train, and --experiment the lines of
# lambdas.txt that are taken. Models stay in --models (build/eight-tasks), and those that are there are not learned again.

# shellcheck disable=SC2016,SC2086,SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
. "$(dirname "$0")/images.sh"
command=$(command_line "$@")
image_settings eight-tasks "finetune lwf ebll imm-mean imm-mode ewc si mas local joint" \
  "flowers scenes birds cars aircraft actions letters svhn" "$@"
tasks=("${all[@]}")

model() { echo "$models/$1-$(lambda_of "$experiment" "$1" task)-$2.h5"; }  # METHOD SEED
run() { learn "$1" task "$2" "$(lambda_of "$experiment" "$1" task)" "$(model "$@")"; }
summary_file() { echo "$models/$1.json"; }  # METHOD
results=()
learn_cells < <(printf '%s\n' $methods)
for method in $methods; do results+=("$method=$(summary_file "$method")"); done
write_json "$out/$name.json" "${results[@]}"
{
  printf '# %s tasks in sequence\n\n' "${#tasks[@]}"
  made_by
  printf '%s%s; `%s`. Accuracy at the end (drop since it was new), %%: mean ± standard deviation over\nseeds. joint sees all tasks at once.\n\n' \
    "$arch" "${init:+, ${init##*/}}" "$train"
  head='| | λ | ACC | forgetting |' rule='|---|---|---|---|'
  for task in "${tasks[@]}"; do head+=" ${task%%=*} |" rule+='---|'; done
  printf '%s\n%s\n' "$head" "$rule"
  for method in $methods; do
    file=$(summary_file "$method")
    row="| $method | $(lambda_of "$experiment" "$method" task) | $(cell acc "$file") | $(cell forgetting "$file") |"
    for i in "${!tasks[@]}"; do row+=" $(of_task "$i" accuracy "$file") ($(of_task "$i" drop "$file")) |"; done
    printf '%s\n' "$row"
  done
  printf '\nPublished for pairs of flowers, scenes and birds, as recalled (Aljundi et al. 2018, table 1): the first of two tasks drops by 7.9\n'
  printf 'to 13.2 points by finetuning, and by 0.4 to 1.4 by MAS.\n'
  if [[ " $methods " == *" mas "* ]] && command -v gnuplot >/dev/null; then
    mas-eval -q "$(model mas "${seeds%% *}")" --plot "$out/$name.svg"
    printf '\n![accuracy of each task along the sequence, MAS, seed %s](%s.svg)\n' "${seeds%% *}" "$name"
  fi
} >"$out/$name.md.part"
mv "$out/$name.md.part" "$out/$name.md"
cat "$out/$name.md"
