#!/usr/bin/env bash
# Four quarters of facts, B11, B12, B21 and B22 in turn, learned by every method, as in table 5 of the MAS paper: mean average
# precision of each in the end.
#
#   data/recipes/facts-four-tasks.sh [--quick] [--methods "..."] [--seeds "1 2 3"] [--epochs N] [--pictures N] [--lambda N]
#                                    [--experiment NAME] [--jobs N] [--models FOLDER] [--out FOLDER]
#
# --quick: one seed of fewer pictures and epochs. Models stay in --models (build/facts-four-tasks), and those that are there are not
# learned again. The page, and all numbers as JSON, go to --out (data/results, with --quick --models).

# shellcheck disable=SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
. "$(dirname "$0")/facts.sh"
command=$(command_line "$@")
facts_settings facts-four-tasks "finetune imm-mean imm-mode si ewc mas local joint" "$@"
prepare "$models"
facts_sequence "B11 B12 B21 B22" >"$models/table"
page "Four tasks of facts" <"$models/table"
