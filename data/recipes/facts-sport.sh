#!/usr/bin/env bash
# A topic that a network is used for, as in figure 4 of the MAS paper: four quarters of facts are learned in turn, and after each
# importance is measured on pictures of the first quarter's facts of sport alone, whose labels nobody reads. Mean average
# precision of these facts, searched for among all pictures of that quarter, along the sequence, and that of joint training.
#
#   data/recipes/facts-sport.sh [--quick] [--methods "..."] [--seeds "1 2 3"] [--epochs N] [--pictures N] [--lambda N]
#                               [--experiment NAME] [--jobs N] [--models FOLDER] [--out FOLDER]
#
# --quick: one seed of fewer pictures and epochs. Models stay in --models (build/facts-sport), and those that are there are not
# learned again. The page, and all numbers as JSON, go to --out (data/results, with --quick --models).

# shellcheck disable=SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
. "$(dirname "$0")/facts.sh"
command=$(command_line "$@")
facts_settings facts-sport "finetune mas local joint" "$@"
need gnuplot
prepare "$models"
batches="B11 B12 B21 B22"
keep_each=yes

model() { echo "$models/$1-$(lambda_of "$experiment" "$1" facts)-$2.h5"; }  # METHOD SEED
points_of() { [ "$1" = joint ] && echo end || echo "$batches"; }             # METHOD
run() {
  local point at sport
  at=$(model "$@")
  sport=$(fact_spec B11 "$2" sport)
  fact_tasks "$batches" "$2"
  fed_specs=$sport
  learn "$1" facts "$2" "$(lambda_of "$experiment" "$1" facts)" "$at"
  [ "$1" != joint ] || cp "$at" "$at.end"
  for point in $(points_of "$1"); do
    keep_retrieval "$at.$point.map" "$at.$point" "$sport" "$(fact_spec B11 "$2")"
  done
}
results=()
# shellcheck disable=SC2086
run_cells < <(printf '%s\n' $methods)
{
  printf '| | λ | after %s |\n|---|---|---|---|---|---|\n' "${batches// / | after }"
  for method in $methods; do
    row="| $method | $(lambda_of "$experiment" "$method" facts) |"
    [ "$method" != joint ] || row+=" | | |"
    : >"$models/$method.dat"
    k=1
    for point in $(points_of "$method"); do
      files_of ".$point.map" "$method"
      row+=" $(spread_of "${files[@]}") |"
      echo "$k $(cat "${files[@]}" | jq -s '100 * add / length')" >>"$models/$method.dat"
      jq -s . "${files[@]}" >"$models/$method-$point.json"
      results+=("$method, after $point=$models/$method-$point.json")
      k=$((k + 1))
    done
    printf '%s\n' "$row"
  done
  if [[ " $methods " == *" finetune "* ]]; then
    for method in $methods; do
      case $method in finetune | joint) continue ;; esac
      row="| $method above finetune | |"
      for point in $batches; do
        row+=" $(jq -rs "$percent above" "$models/$method-$point.json" "$models/finetune-$point.json") |"
      done
      printf '%s\n' "$row"
    done
  fi
  files=()
  for seed in $seeds; do
    files+=("$models/chance-$seed")
    chance "$(fact_spec B11 "$seed" sport)" "$(fact_spec B11 "$seed")" >"${files[-1]}"
  done
  jq -s . "${files[@]}" >"$models/chance.json"
  results+=("random order=$models/chance.json")
  row=$(spread_of "${files[@]}")
  printf '| random order | | %s | %s | %s | %s |\n' "$row" "$row" "$row" "$row"
} >"$models/table"
write_json "$out/$name.json" "${results[@]}"
plots=()
for method in $methods; do
  if [ "$method" = joint ]; then
    plots+=("$(awk '{ print $2 }' "$models/joint.dat") title 'joint' dashtype 2 linecolor rgb '#505050'")
  else
    plots+=("'$models/$method.dat' using 1:2 with linespoints title '$method'")
  fi
done
tics=$(k=0; for batch in $batches; do k=$((k + 1)); echo "'after $batch' $k"; done | paste -sd, -)
draw "$out/$name.svg" "set xrange [0.7:4.3]; set yrange [:102]; set xtics ($tics); set ylabel 'mAP of sport, %'; plot $(IFS=,; echo "${plots[*]}")"
{
  cat "$models/table"
  printf '\n![mAP of the facts of sport after each task](%s.svg)\n\n' "$name"
  printf 'Published, as recalled (figure 4; other data): about .50 in the end with importance of the topic, about .20 without.\n'
} | page "A topic that is used" "sport in B11" "all of B11"
