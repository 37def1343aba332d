#!/usr/bin/env bash
# Two halves of facts, B1 and then B2, learned by every method, as in table 3 of the MAS paper: mean average precision of
# retrieving pictures of each half by their facts, in the end.
#
#   data/recipes/facts-two-tasks.sh [--quick] [--methods "..."] [--seeds "1 2 3"] [--epochs N] [--pictures N] [--lambda N]
#                                   [--experiment NAME] [--jobs N] [--models FOLDER] [--out FOLDER]
#
# --quick: one seed of fewer pictures and epochs. Models stay in --models (build/facts-two-tasks), and those that are there are not
# learned again. The page, and all numbers as JSON, go to --out (data/results, with --quick --models).

# shellcheck disable=SC2154
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
. "$(dirname "$0")/facts.sh"
command=$(command_line "$@")
facts_settings facts-two-tasks "finetune imm-mean imm-mode si ewc mas local joint" "$@"
prepare "$models"
facts_sequence "B1 B2" >"$models/table"
{
  cat "$models/table"
  cat <<'PUBLISHED'

Published, as recalled (table 3; the 6DS data, VGG-16, other facts: only the order can be compared): mAP of B1 after B2 is .18 by
finetuning, .25 by SI and .29 by MAS.
PUBLISHED
} | page "Two tasks of facts"
