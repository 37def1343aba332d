#!/usr/bin/env bash
# λ of one method in one scenario: trains on nine tenths of the training part (with --tasks, four fifths) with seeds that aren't
# reported, and looks at the rest; the test part isn't touched. Prints a line for each λ and the best, and draws accuracy of old and new
# tasks over λ where gnuplot is installed.
#
#   data/recipes/choose-lambda.sh --method ewc --scenario task [--sequence split|permuted] [--lambdas "1 10 100"]
#                                 [--tasks "NAME=SPEC ..."] [--seeds "101 102"] [--jobs N] [--data SPEC] [--arch ARCH]
#                                 [--init WEIGHTS] [--epochs N] [--batch N] [--xi N] [--train "OPTIONS"]
#                                 [--step gradient|proximal] [--models FOLDER] [--plot FILE.svg]
#
# --train: more options for every mas-train, such as "--optimizer sgd --lr 0.1" (--lr 0.001 unless given).
# --tasks: other tasks than those that --sequence makes of --data. A fifth of each training part is held out; parts that
# have a split of their own are written to --models/data first, transformed, so that --augment finds no room there.
# Models stay in --models (build/choose-lambda), and those that are there are not learned again.

# shellcheck disable=SC2016,SC2128,SC2154,SC2178
set -euo pipefail
. "$(dirname "$0")/sequence.sh"
method=mas scenario=task sequence=split lambdas="0.01 0.1 1 10 100 1000" seeds="101 102" jobs=$cores
data=mnist,pad=2,normalize=0.1:0.2752 arch=mlp:400,400 epochs=4 models=$root/build/choose-lambda plot='' xi=0.001
tasks='' init='' train='--lr 0.001' step=gradient batch=128
parse_options "method scenario sequence lambdas tasks seeds jobs data arch init epochs batch models plot xi train step" "$@"
[ -z "$plot" ] || need gnuplot
training=(--epochs "$epochs" --batch "$batch")
read -ra words <<<"$train"
training+=("${words[@]}")
data=$data,split=train:0.9 sets=$tasks
[ -z "$sets" ] || { unset data; sequence=tasks; }
prepare "$models"
firsts=$models/first
held_out=()
for set in $sets; do
  from=${set#*=}
  if [[ $from == *,split=* ]]; then
    file=$models/data/${set%%=*}.h5
    mkdir -p "$models/data"
    [ -e "$file" ] || mas-data -q "$from" -o "$file"
    from=$file
  fi
  held_out+=("${set%%=*}=$from,split=train:0.8")
done

model() { echo "$models/$sequence-$scenario/$method-$1-$2.h5"; }  # LAMBDA SEED
run() {
  case $sequence in
    tasks) tasks=("${held_out[@]}") ;;
    split) split_tasks "$data" ;;
    permuted) permuted_tasks "$data" 10 "$2" ;;
  esac
  learn "$method" "$scenario" "$2" "$1" "$(model "$@")"
}
for lambda in $lambdas; do
  for seed in $seeds; do echo "$lambda" "$seed"; done
done | in_parallel run

# Of the matrix R, for each λ: ACC, the mean of the last row over old tasks, and of the diagonal, what each task reached
# when new; - where there is but the last row, of a merged model.
points=$models/$sequence-$scenario/$method.dat
for lambda in $lambdas; do
  matrices=()
  for seed in $seeds; do
    matrix=$(model "$lambda" "$seed").json
    if [[ ! $matrix -nt ${matrix%.json} ]]; then
      mas-eval -q --threads "$threads" "${matrix%.json}" --json >"$matrix.part"
      mv "$matrix.part" "$matrix"
    fi
    matrices+=("$matrix")
  done
  jq -rs --arg lambda "$lambda" "$percent"'
    def mean: add / length;
    def diagonal: [.accuracy as $r | range(.tasks | length) | $r[.][.]];
    [map(.acc), map(.accuracy[-1][:-1] | mean), map(diagonal | if all(. != null) then mean else null end)]
    | map(if all(. != null) then mean | percent else "-" end) | "\($lambda) \(join(" "))"' "${matrices[@]}"
done >"$points"
printf 'λ\tACC\told tasks\tnew tasks\n'
tr ' ' '\t' <"$points"
sort -k2,2gr "$points" | awk -v m="$method" -v s="$scenario" '
  NR == 1 { print "best:", m, s, $1; best = low = high = $1; acc = $2 }
  NR > 1 && $2 == acc { ties = ties " " $1 }
  { if ($1 + 0 < low + 0) low = $1; if ($1 + 0 > high + 0) high = $1 }
  END { if (ties) print "as good:" ties
        if (low != high && best == low) print "no smaller one was tried: add some to --lambdas"
        if (low != high && best == high) print "no larger one was tried: add some to --lambdas" }'
if [ -n "$plot" ]; then
  draw "$plot" "set logscale x; set xlabel 'λ'; set ylabel 'accuracy, %'; set title '$method, scenario $scenario';
    plot '$points' using 1:3 with linespoints title 'old tasks, at the end', '' using 1:4 with linespoints title 'each task when it was new'"
fi
