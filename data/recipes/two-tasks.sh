#!/usr/bin/env bash
# Two tasks of object recognition, one after the other, as in tables 1 and 2 of the MAS paper: every ordered pair of the sets
# is learned by every method, and by MAS with Ω of training data, of unlabelled test data, and of both. Writes tables in the
# paper's form, the first task's accuracy at the end (its drop) and the second's, and all numbers as JSON.
#
#   data/recipes/two-tasks.sh [--tasks "NAME=SPEC ..."] [--methods "..."] [--seeds "1 2 3"] [--arch ARCH] [--init WEIGHTS]
#                             [--train "OPTIONS"] [--experiment NAME] [--lambda N] [--jobs N] [--models FOLDER] [--out FOLDER]
#                             [--name NAME]
#
# Two folders of your own, cats/KIND/*.jpg and dogs/KIND/*.jpg, of which a fifth of the pictures is kept for the test, with a
# small network from scratch. The first command looks at the pictures; the second learns twelve models to find λ, which
# takes the place of the third's 1; the third learns both orders with three seeds:
#
#   mas-data cats,size=64 --sheet cats.png
#   data/recipes/choose-lambda.sh --tasks "cats=cats,size=64,split=0.8 dogs=dogs,size=64,split=0.8" --arch convnet --epochs 20 --batch 32
#   data/recipes/two-tasks.sh --tasks "cats=cats,size=64,split=0.8 dogs=dogs,size=64,split=0.8" --arch convnet \
#                             --train "--epochs 20 --batch 32" --methods "finetune mas joint" --lambda 1
#
# Without --tasks these are flowers, scenes and birds, an AlexNet that --init gives ImageNet's weights, and the paper's
# training; with other data, --train has the options for mas-train, and --experiment the lines of lambdas.txt that are
# taken, which choose-lambda.sh --tasks finds for each method; or --lambda is for all. For one order of any number of sets
# see eight-tasks.sh. Models stay in --models (build/two-tasks), and those that are there are not learned again. The page is NAME.md.

# shellcheck disable=SC2016,SC2034,SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
. "$(dirname "$0")/images.sh"
command=$(command_line "$@")
image_settings two-tasks "finetune lwf ebll imm-mean imm-mode ewc si mas local joint mas-test mas-both" \
  "flowers scenes birds" "$@"

pairs() {
  for a in "${all[@]}"; do
    for b in "${all[@]}"; do [ "$a" = "$b" ] || echo "${a%%=*} ${b%%=*}"; done
  done
}
set_called() { for task in "${all[@]}"; do [ "${task%%=*}" != "$1" ] || echo "$task"; done; }
model() { echo "$models/$1=$2/$3-$(lambda_of "$experiment" "$3" task)-$4.h5"; }  # FIRST SECOND METHOD SEED
run() {
  tasks=("$(set_called "$1")" "$(set_called "$2")")
  learn "$3" task "$4" "$(lambda_of "$experiment" "$3" task)" "$(model "$@")"
}
summary_file() { echo "$models/$1=$2/$3.json"; }  # FIRST SECOND METHOD
cells() {
  while read -r pair; do
    for method in $methods; do echo "$pair $method"; done
  done < <(pairs)
}
results=()
learn_cells < <(cells)
while read -r first second method; do
  results+=("$first to $second, $method=$(summary_file "$first" "$second" "$method")")
done < <(cells)
write_json "$out/$name.json" "${results[@]}"

# Rows of a table in the paper's form.
table() {  # METHOD...
  local head='| | λ |' rule='|---|---|' first second method file row
  while read -r first second; do head+=" $first → $second |" rule+='---|'; done < <(pairs)
  printf '%s\n%s\n' "$head" "$rule"
  for method in "$@"; do
    row="| $method | $(lambda_of "$experiment" "$method" task) |"
    while read -r first second; do
      file=$(summary_file "$first" "$second" "$method")
      row+=" $(of_task 0 accuracy "$file") ($(of_task 0 drop "$file")) · $(of_task 1 accuracy "$file") |"
    done < <(pairs)
    printf '%s\n' "$row"
  done
}
{
  printf '# Two tasks\n\n'
  made_by
  printf '%s%s; `%s`. Accuracy of the first task at the end (its drop) · accuracy of the second, %%: mean ± standard\n' "$arch" "${init:+, ${init##*/}}" "$train"
  printf 'deviation over seeds. joint sees both at once.\n\n'
  readarray -t shown < <(for method in $methods; do [[ $method == mas-* ]] || echo "$method"; done)
  table "${shown[@]}"
  readarray -t shown < <(for method in $methods; do [[ $method != mas && $method != mas-* ]] || echo "$method"; done)
  if [ "${#shown[@]}" -gt 1 ]; then
    printf '\nMAS with Ω of training data (mas), of test data, without their labels (mas-test), and of both (mas-both):\n\n'
    table "${shown[@]}"
  fi
  [ -n "$tasks_named" ] || cat <<'PUBLISHED'

Published, as recalled (Aljundi et al. 2018, table 1):

| | birds → scenes | scenes → birds | flowers → birds | flowers → scenes |
|---|---|---|---|---|
| finetune | 45.20 (8.0) | 49.7 (9.3) | 64.87 (13.2) | 70.17 (7.9) |
| MAS | 53.24 (0.4) · 55.0 | 57.61 (1.4) · 49.62 | 77.33 (0.7) · 50.39 | 77.24 (0.8) · 57.38 |
PUBLISHED
} >"$out/$name.md.part"
mv "$out/$name.md.part" "$out/$name.md"
cat "$out/$name.md"
