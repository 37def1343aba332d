#!/usr/bin/env bash
# An agent that learns on the job: a network has learned half of the facts, and keeps meeting pictures of what it is used for,
# without labels, in lots of 20. After each lot importance is updated. One topic is met often, one now and then, one never; which
# is which differs from seed to seed. Then the other half is learned, and what was used most is kept best. Writes a table, all
# numbers as JSON, and a drawing of what was kept over how often it was met.
#
#   data/recipes/online.sh [--quick] [--seeds "1 2 3"] [--epochs N] [--pictures N] [--lambda N] [--experiment NAME]
#                          [--jobs N] [--models FOLDER] [--out FOLDER]
#
# --quick: one seed of fewer pictures and epochs. Models stay in --models (build/online), and those that are there are not
# learned again.

# shellcheck disable=SC2034,SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
. "$(dirname "$0")/facts.sh"
command=$(command_line "$@")
facts_settings online "mas finetune" "$@"
need gnuplot
[[ $pictures =~ ^[0-9]{2,5}$ && $pictures -ge 16 && $((10#$pictures % 2)) -eq 0 ]] ||
  wrong_usage "--pictures: must be even and at least 16, so that the ten facts of a topic have lots of 20, got $pictures"
prepare "$models"
topics=(sport furniture food)
lots=(20 4 0)
[ "$pictures" -ge 40 ] || lots=(8 2 0)  # there are ten facts of a topic, and no picture is met twice

model() { echo "$models/$1-$(lambda_of "$experiment" "$1" facts)-$2.h5"; }  # METHOD SEED
lots_of() { echo "${lots[$((($1 + $2) % ${#lots[@]}))]}"; }                  # TOPIC'S-NUMBER SEED

# meet MODEL SEED: the lots of all topics, in turn as long as there are any.
meet() {
  local lot i topic all
  for ((lot = 1; lot <= lots[0]; lot++)); do
    for i in "${!topics[@]}"; do
      [ "$lot" -le "$(lots_of "$i" "$2")" ] || continue
      topic=$(fact_spec B1 "$2" "${topics[i]}")
      all=$(pictures_of "$topic")
      mas-importance -q --threads "$threads" "$1" --data "$topic" --shard "$lot/$((all / 20))" -o "$1"
    done
  done
}
pictures_of() { mas-data "$1" --json | jq .samples; }

run() {
  local method=$1 seed=$2 at i topic next=(--lambda 0)
  at=$(model "$method" "$seed")
  [[ ! -e $at || ! $at.map -nt $at ]] || return 0
  fact_tasks "B1 B2" "$seed"
  learn_first "$at.part" --data "${tasks[0]#*=}" --task B1 --seed "$seed" --scenario facts
  cp "$at.part" "$at.first"
  if [ "$method" = mas ]; then
    meet "$at.part" "$seed"
    next=(--lambda "$(lambda_of "$experiment" mas facts)" --penalty-step "$step")
  fi
  mas-train -q "$at.part" "${next[@]}" --data "${tasks[1]#*=}" --task B2 --seed "$seed" "${training[@]}" -o "$at.part"
  for i in "${!topics[@]}"; do
    topic=$(fact_spec B1 "$seed" "${topics[i]}")
    jq -nc --arg topic "${topics[i]}" '{topic: $topic, met: $ARGS.positional[0], before: $ARGS.positional[1], after: $ARGS.positional[2], chance: $ARGS.positional[3]}' \
      --jsonargs $((20 * $(lots_of "$i" "$seed"))) "$(retrieval "$at.first" "$topic")" "$(retrieval "$at.part" "$topic")" "$(chance "$topic")"
  done >"$at.points"
  times >"$at.times"
  mv "$at.part" "$at"
  mv "$at.points" "$at.map"
}

results=() used=()
# shellcheck disable=SC2086
run_cells < <(printf '%s\n' $methods)
# spread_at LOTS EXPRESSION: of the topics that were met so often, in `files`.
spread_at() { spread_of <(jq "select(.met == $((20 * $1))) | $2" "${files[@]}"); }
{
  printf '| pictures met | random order | before | '
  for method in $methods; do printf '%s, after | kept | ' "$method"; done
  printf '\n|---|---|---|'
  for method in $methods; do printf -- '---|---|'; done
  printf '\n'
  for count in "${lots[@]}"; do
    row="| $((20 * count)) |"
    for method in $methods; do
      files=()
      for seed in $seeds; do files+=("$(model "$method" "$seed").map"); done
      [ "$method" != "${methods%% *}" ] || row+=" $(spread_at "$count" .chance) | $(spread_at "$count" .before) |"
      row+=" $(spread_at "$count" .after) | $(spread_at "$count" '.after / .before') |"
    done
    printf '%s\n' "$row"
  done
} >"$models/table"
plots=()
for method in $methods; do
  files=()
  for seed in $seeds; do files+=("$(model "$method" "$seed").map"); done
  jq -s . "${files[@]}" >"$models/$method.json"
  results+=("$method=$models/$method.json")
  jq -r '"\(.met) \(100 * .after / .before)"' "${files[@]}" | sort -n >"$models/$method.dat"
  plots+=("'$models/$method.dat' smooth unique with lines title '$method, mean', '' with points pointtype 7 notitle")
done
write_json "$out/$name.json" "${results[@]}"
draw "$out/$name.svg" "set xlabel 'pictures of the topic that were met'; set ylabel 'mAP after the next task, % of before'; plot $(IFS=,; echo "${plots[*]}")"
{
  cat "$models/table"
  printf '\n![what is kept of a topic over how often it was met](%s.svg)\n' "$name"
} | page "Kept by use"
