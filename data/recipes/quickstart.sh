#!/usr/bin/env bash
# See it work: learns a first task, computes which weights matter, learns a second task without and with that
# knowledge, and shows what each forgot.
#
#   data/recipes/quickstart.sh [--data SPEC]     SPEC: glyphs (built in) unless given; mnist, or any of mas(7), DATA,
#                                                with ten classes 0 to 9
# Installs what is missing with apt-get and builds into build/. Models stay in build/quickstart/.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

data=glyphs
while [ $# -gt 0 ]; do
  case $1 in
    --data) data=${2:?--data needs a spec}; shift 2 ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "quickstart.sh: $1: unknown option; only --data SPEC is known" >&2; exit 2 ;;
  esac
done

# shellcheck disable=SC2086
install $build_packages
# shellcheck disable=SC2119
build_project
PATH=$build/bin:$PATH
models=$build/quickstart
mkdir -p "$models"

say "1. learn a first task: classes 0 to 4 of $data"
mas-train --arch mlp:400,400 --data "$data,classes=0-4" --task first -o "$models/first.h5"

say "2. which weights matter to it? (no labels are read)"
mas-importance "$models/first.h5" -o "$models/important.h5"

say "3. learn a second task, classes 5 to 9, as usual"
mas-train "$models/first.h5" --data "$data,classes=5-9" --task second -o "$models/finetuned.h5"

say "4. learn it with important weights held still"
mas-train "$models/important.h5" --data "$data,classes=5-9" --task second --lambda 0.1 -o "$models/protected.h5"

say "What is left of the first task?"
mas-eval "$models/first.h5" "$models/finetuned.h5" "$models/protected.h5" --csv | awk -F, '
  NR == 2 { before = $2 }
  NR == 3 { finetuned = $2; second = $3 }
  NR == 4 {
    printf "%-34s %12s %12s %12s\n", "", "first task", "second task", "forgotten"
    printf "%-34s %10.2f %% %12s\n", "after the first task", 100 * before, "-"
    printf "%-34s %10.2f %% %10.2f %% %5.2f points\n", "after the second, as usual", 100 * finetuned, 100 * second, 100 * (before - finetuned)
    printf "%-34s %10.2f %% %10.2f %% %5.2f points\n", "after the second, with importance", 100 * $2, 100 * $3, 100 * (before - $2)
  }'
printf '\nThe models are in %s. Next: mas-export protected.h5 shows its layers; README.md shows the pipeline.\n' "$models"
