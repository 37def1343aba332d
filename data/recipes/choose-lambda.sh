#!/usr/bin/env bash
# λ of one method in one scenario, for split sets: trains on nine tenths of the training part with seeds that aren't
# reported, and looks at the last tenth; the test part isn't touched. Prints a line for each λ and the best, and draws
# accuracy of old and new tasks over λ where gnuplot is installed.
#
#   data/recipes/choose-lambda.sh --method ewc --scenario task [--lambdas "1 10 100"] [--seeds "101 102"] [--jobs N]
#                                 [--data SPEC] [--arch ARCH] [--epochs N] [--models FOLDER] [--plot FILE.svg]
#
# Models stay in --models (build/choose-lambda), and those that are there are not learned again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/sequence.sh"
usage() { sed -n '2,11s/^# \{0,1\}//p' "$0"; }
method=mas scenario=task lambdas="0.01 0.1 1 10 100 1000" seeds="101 102" jobs=$cores data=mnist,pad=2 arch=mlp:400,400
epochs=4 models=$root/build/choose-lambda plot=
parse_options "method scenario lambdas seeds jobs data arch epochs models plot" "$@"
threads=$((cores > jobs ? cores / jobs : 1))
training=(--epochs "$epochs" --batch 128 --lr 0.001 --threads "$threads")
data=$data,split=train:0.9
mas-data -q "$data"

tasks=()
for digits in 0-1 2-3 4-5 6-7 8-9; do tasks+=("$digits=$data,classes=$digits"); done
model() { echo "$models/$scenario/$method-$1-$2.h5"; }
run() {  # LAMBDA SEED
  learn "$method" "$scenario" "$2" "$1" "$(model "$1" "$2")" "${tasks[@]}"
}
for lambda in $lambdas; do
  for seed in $seeds; do echo "$lambda" "$seed"; done
done | in_parallel "$jobs" run

points=$models/$scenario-$method.dat
for lambda in $lambdas; do
  for seed in $seeds; do
    # Of the matrix R: ACC, the mean of the last row over old tasks, and of the diagonal, what each task reached when new.
    mas-eval -q "$(model "$lambda" "$seed")" --csv | awk -F, -v lambda="$lambda" '
      NR > 1 { for (i = 2; i <= NF; i++) r[NR - 1, i - 1] = $i; n = NF - 1 }
      END {
        for (j = 1; j <= n; j++) { acc += r[n, j] / n; new += r[j, j] / n; if (j < n) old += r[n, j] / (n - 1) }
        print lambda, 100 * acc, 100 * old, 100 * new
      }'
  done | awk '{ l = $1; acc += $2 / 1; old += $3; new += $4; n++ } END { printf "%s %.2f %.2f %.2f\n", l, acc / n, old / n, new / n }'
done >"$points"
printf 'λ\tACC\told tasks\tnew tasks\n'
tr ' ' '\t' <"$points"
sort -k2,2gr "$points" | awk -v m="$method" -v s="$scenario" 'NR == 1 { print "best:", m, s, $1 }'
if [ -n "$plot" ]; then
  command -v gnuplot >/dev/null || { echo "choose-lambda.sh: --plot needs gnuplot (apt-get install gnuplot-nox)" >&2; exit 1; }
  gnuplot -e "set terminal svg size 640,400; set output '$plot'; set logscale x; set xlabel 'λ'; set ylabel 'accuracy, %';
    set key bottom center; set title '$method, scenario $scenario';
    plot '$points' using 1:3 with linespoints title 'old tasks, at the end', '' using 1:4 with linespoints title 'each task when it was new'"
fi
