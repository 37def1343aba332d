#!/usr/bin/env bash
# What a network is used for is what it keeps, as in table 4 of the MAS paper: after half B1 of the facts, importance is measured
# on pictures of its one half, B11, of its other, B12, or of both; then B2 is learned. Mean average precision of each half in
# the end. No label is read for importance.
#
#   data/recipes/facts-adaptation.sh [--quick] [--methods "..."] [--seeds "1 2 3"] [--epochs N] [--pictures N] [--lambda N]
#                                    [--experiment NAME] [--jobs N] [--models FOLDER] [--out FOLDER]
#
# --quick: one seed of fewer pictures and epochs. Models stay in --models (build/facts-adaptation), and those that are there are not
# learned again. The page, and all numbers as JSON, go to --out (data/results, with --quick --models).

# shellcheck disable=SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
. "$(dirname "$0")/facts.sh"
command=$(command_line "$@")
facts_settings facts-adaptation "finetune mas local" "$@"
prepare "$models"

model() { echo "$models/$1-$2-$(lambda_of "$experiment" "$1" facts)-$3.h5"; }  # METHOD FED SEED
run() {
  local batch at
  at=$(model "$@")
  fact_tasks "B1 B2" "$3"
  fed_specs=$(fact_spec "$2" "$3")
  learn "$1" facts "$3" "$(lambda_of "$experiment" "$1" facts)" "$at"
  for batch in B11 B12 B2; do
    keep_retrieval "$at.$batch" "$at" "$(fact_spec "$batch" "$3")" "$(fact_spec "${batch:0:2}" "$3")"
  done
}
cells() {
  local method fed
  for method in $methods; do
    for fed in B11 B12 B1; do [ "$method-$fed" = finetune-B11 ] || [ "$method" != finetune ] || continue; echo "$method $fed"; done
  done
}
results=()
run_cells < <(cells)
{
  printf '| | λ | importance of | B11 | B12 | B2 |\n|---|---|---|---|---|---|\n'
  while read -r method fed; do
    row="| $method | $(lambda_of "$experiment" "$method" facts) | $fed |"
    [ "$method" != finetune ] || row="| $method | 0 | - |"
    for batch in B11 B12 B2; do
      files_of ".$batch" "$method" "$fed"
      row+=" $(spread_of "${files[@]}") |"
      jq -s . "${files[@]}" >"$models/$method-$fed-$batch.json"
      of=", importance of $fed"
      [ "$method" != finetune ] || of=''
      results+=("$method$of, mAP of $batch=$models/$method-$fed-$batch.json")
    done
    printf '%s\n' "$row"
  done < <(cells)
} >"$models/table"
write_json "$out/$name.json" "${results[@]}"
{
  cat "$models/table"
  for method in $methods; do
    [ "$method" != finetune ] || continue
    printf '\n%s by importance of its own half above that of the other: B11 %s, B12 %s, mean of both %s.\n' "$method" \
      "$(jq -rs "$percent above" "$models/$method-B11-B11.json" "$models/$method-B12-B11.json")" \
      "$(jq -rs "$percent above" "$models/$method-B12-B12.json" "$models/$method-B11-B12.json")" \
      "$(jq -rs "$percent [[.[0], .[2]], [.[1], .[3]] | transpose | map(add / 2)] | above" \
        "$models/$method-B11-B11.json" "$models/$method-B12-B11.json" "$models/$method-B12-B12.json" "$models/$method-B11-B12.json")"
  done
  printf '\nWhich half is B11 and which B12 is drawn by the seed, so that both measure the same, and their mean tells most. In the paper\n'
  printf '(table 4) each half is kept best by its own importance.\n'
} | page "Importance of what is used" "B11 and B12" "B1, those of B2 among B2's"
