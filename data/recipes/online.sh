#!/usr/bin/env bash
# An agent that learns on the job: a network has learned half of the facts, and keeps meeting pictures of what it is used for,
# without labels, in lots of 20. After each lot importance is updated. One topic is met often, one now and then, one never; each
# topic is each of these in one of three runs. Then the other half is learned, and what was used most is kept best. Writes a table,
# all numbers as JSON, and a drawing of what was kept over how often it was met.
#
#   data/recipes/online.sh [--quick] [--seeds "1 2 3"] [--epochs N] [--pictures N] [--lambda N] [--experiment NAME]
#                          [--jobs N] [--models FOLDER] [--out FOLDER]
#
# --quick: one seed of fewer pictures and epochs. Models stay in --models (build/online), and those that are there are not
# learned again. The page, and all numbers as JSON, go to --out (data/results, with --quick --models).

# shellcheck disable=SC2034,SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
. "$(dirname "$0")/facts.sh"
command=$(command_line "$@")
facts_settings online "mas finetune" "$@"
need gnuplot
[[ $pictures =~ ^[0-9]{2,5}$ && $pictures -ge 16 && $((10#$pictures % 2)) -eq 0 ]] ||
  wrong_usage "--pictures: must be even and at least 16: the ten facts of a topic are met in up to 8 lots of 20, got $pictures"
prepare "$models"
keep_each=yes
topics=(sport furniture food)
lots=(20 4 0)
[ "$pictures" -ge 40 ] || lots=(8 2 0)  # there are ten facts of a topic, and no picture is met twice

model() { echo "$models/$1-$2-$(lambda_of "$experiment" "$1" facts)-$3.h5"; }  # METHOD TURN SEED
lots_of() { echo "${lots[$((($1 + $2) % ${#lots[@]}))]}"; }                     # TOPIC'S-NUMBER TURN

# feed MODEL: the lots of all topics, one of each after the other as long as there are any, in the `turn` and world of run().
feed() {
  local lot i topic all
  for ((lot = 1; lot <= lots[0]; lot++)); do
    for i in "${!topics[@]}"; do
      [ "$lot" -le "$(lots_of "$i" "$turn")" ] || continue
      topic=$(fact_spec B1 "$seed" "${topics[i]}")
      all=$(pictures_of "$topic")
      mas-importance -q --threads "$threads" "$1" --data "$topic" --shard "$lot/$((all / 20))" -o "$1"
    done
  done
}
pictures_of() { mas-data "$1" --json | jq .samples; }

run() {
  local method=$1 turn=$2 seed=$3 at i topic all met
  at=$(model "$@")
  fact_tasks "B1 B2" "$seed"
  all=${tasks[0]#*=}
  learn "$method" facts "$seed" "$(lambda_of "$experiment" "$method" facts)" "$at"
  [[ ! $at.map -nt $at ]] || return 0
  for i in "${!topics[@]}"; do
    topic=$(fact_spec B1 "$seed" "${topics[i]}")
    met=$([ "$method" = mas ] && echo $((20 * $(lots_of "$i" "$turn"))) || echo null)
    jq -nc --arg topic "${topics[i]}" --argjson seed "$seed" '$ARGS.positional as [$met, $before, $after, $chance]
      | {topic: $topic, seed: $seed, met: $met, before: $before, after: $after, chance: $chance}' \
      --jsonargs "$met" "$(retrieval "$at.B1" "$topic" "$all")" "$(retrieval "$at" "$topic" "$all")" "$(chance "$topic" "$all")"
  done >"$at.points"
  mv "$at.points" "$at.map"
}
cells() {
  local method turn
  for method in $methods; do
    for turn in "${!topics[@]}"; do [ "$method $turn" = "$method 0" ] || [ "$method" = mas ] || continue; echo "$method $turn"; done
  done
}
results=()
run_cells < <(cells)
for method in $methods; do
  maps=()
  while read -r cell turn; do
    [ "$cell" = "$method" ] || continue
    files_of .map "$method" "$turn"
    maps+=("${files[@]}")
  done < <(cells)
  jq -s . "${maps[@]}" >"$models/$method.json"
  results+=("$method=$models/$method.json")
done

# of_seeds METHOD MET EXPRESSION: a list of one number for each seed, the mean over topics that were met so often.
of_seeds() {
  jq --argjson met "$2" "map(select(.met == \$met)) | group_by(.seed) | map(map($3) | add / length)" "$models/$1.json"
}
row() {  # METHOD MET
  local met=$2
  [ "$met" != null ] || met=''
  printf '| %s | %s%s| %s | %s | %s |\n' "$1" "$met" "${met:+ }" \
    "$(spread_of <(of_seeds "$1" "$2" .before | jq '.[]'))" "$(spread_of <(of_seeds "$1" "$2" .after | jq '.[]'))" \
    "$(spread_of <(of_seeds "$1" "$2" '.after / .before' | jq '.[]'))"
}
{
  printf 'Three topics of B1 are met %d, %d and %d times after it was learned, in turn, and importance is measured on what was met. Before and\n' \
    $((20 * lots[0])) $((20 * lots[1])) $((20 * lots[2]))
  printf 'after: mAP before and after B2 is learned, mean over topics; kept: the mean of their ratios, in %%.\n\n'
  printf '| | pictures met | before | after | kept |\n|---|---|---|---|---|\n'
  for method in $methods; do
    if [ "$method" != mas ]; then row "$method" null; continue; fi
    for count in "${lots[@]}"; do row mas $((20 * count)); done
  done
  if [[ " $methods " == *" mas "* ]]; then
    printf '\nKept of what was met %d times above what was never met, mean over topics: %s.\n' $((20 * lots[0])) \
      "$(jq -rs "$percent above" <(of_seeds mas $((20 * lots[0])) '.after / .before') <(of_seeds mas 0 '.after / .before'))"
  fi
  printf '\nmAP in random order: %s.\n' "$(spread_of <(jq '.[0].chance' "$models/${methods%% *}.json"))"
} >"$models/table"
plots=()
for method in $methods; do
  if [ "$method" = mas ]; then
    jq -r '.[] | "\(.met) \(100 * .after / .before)"' "$models/mas.json" | sort -n >"$models/mas.dat"
    plots+=("'$models/mas.dat' smooth unique with lines linecolor 1 title 'mas, mean', '' with points pointtype 7 linecolor 1 title 'one topic, one seed'")
  else
    plots+=("$(jq '100 * (map(.after / .before) | add / length)' "$models/$method.json") title '$method, mean' dashtype 2 linecolor rgb '#505050'")
  fi
done
write_json "$out/$name.json" "${results[@]}"
draw "$out/$name.svg" "set xlabel 'pictures of the topic that were met'; set ylabel 'mAP after the next task, % of before'; set xrange [-20:420]; plot $(IFS=,; echo "${plots[*]}")"
{
  cat "$models/table"
  printf '\n![what is kept of a topic over how often it was met](%s.svg)\n' "$name"
} | page "Kept by use" "a topic in B1" "all of B1"
