# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# A sequence of tasks learned by any method of the comparison (mas(7), COMPARISON), for recipes that source this file.
# What is done is not done again: each run's last model is its mark.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$root/build/bin:$PATH
cores=$(nproc)
lambdas=$root/data/recipes/lambdas.txt

# The comment at the beginning of the recipe.
usage() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }

# parse_options "NAMES" "$@": --some-name VALUE sets the variable some_name. Its own variables are called as no option is.
parse_options() {
  local _known=" $1 " _option
  shift
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
    esac
    _option=${1#--}
    if [ "$1" = "$_option" ] || [[ $_known != *" $_option "* ]]; then
      _known=${_known% }
      wrong_usage "$1: unknown option; known are${_known// / --}"
    fi
    [[ $# -gt 1 && $2 == *[![:space:]]* ]] || wrong_usage "$1: needs a value"
    check_value "$1" "$2"
    printf -v "${_option//-/_}" '%s' "$2"
    shift 2
  done
}
wrong_usage() { echo "${0##*/}: $1" >&2; exit 2; }

# check_value OPTION VALUE: of what the recipes themselves count with or take apart.
check_value() {
  local word words names=''
  read -rd '' -a words <<<"$2" || true
  case $1 in
    --jobs | --count | --epochs)
      [[ $2 =~ ^[1-9][0-9]{0,3}$ ]] || wrong_usage "$1: must be a whole number from 1 to 9999, got $2" ;;
    --seeds | --choose-seeds)
      for word in "${words[@]}"; do
        [[ $word =~ ^(0|[1-9][0-9]{0,17})$ ]] || wrong_usage "$1: must be whole numbers such as \"1 2 3\", got $word"
      done ;;
    --tasks)
      for word in "${words[@]}"; do
        [[ $word == [!.=-]*=[!,]* && ${word%%=*} != *[/,]* ]] ||
          wrong_usage "$1: must be NAME=SPEC ..., names without slashes and commas, specs without blanks, got $word"
        [[ " $names " != *" ${word%%=*} "* ]] || wrong_usage "$1: two of them are called ${word%%=*}"
        names+=" ${word%%=*}"
      done ;;
  esac
}

# command_line "$@": what was called, for pages.
command_line() {
  printf 'data/recipes/%s' "${0##*/}"
  local word
  for word in "$@"; do
    case $word in
      *[!A-Za-z0-9_./:=,-]* | '') printf " '%s'" "$word" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
}

# prepare FOLDER: of the models, which were made by this recipe with these settings: `data`, or the string `sets` of several, `arch`, `init`
# and the options for every mas-train in the array `training`, which it completes, `xi` and `step` where they are set. Says once,
# before any work, where something isn't there, or where another recipe is at work in the folder: its processes hold the lock,
# also those that it left behind.
prepare() {
  local settings="${0##*/} ${data-$sets} $arch ${init:+$init }${training[*]}${xi:+ xi $xi}${step:+ $step}" lock
  need jq flock
  if [ -n "${data-}" ]; then
    mas-data -q "$data"
    [[ $data == *split=* ]] || mas-data -q "$data,split=test"
  fi
  mkdir -p "$1"
  exec {lock}>"$1/lock"
  if ! flock -n "$lock"; then
    echo "${0##*/}: $1: another recipe, or what one that was ended began, is at work there; wait, or name another folder with --models" >&2
    exit 1
  fi
  # Where the first run failed there are settings, but no model.
  if [ -e "$1/settings" ] && [ "$(<"$1/settings")" != "$settings" ] &&
    [ -n "$(find "$1" -path "$1/data" -prune -o -name '*.h5' -print -quit)" ]; then
    echo "${0##*/}: $1: has models made with other settings ($(<"$1/settings")); name another folder with --models" >&2
    exit 1
  fi
  echo "$settings" >"$1/settings"
  threads=$((cores > jobs ? cores / jobs : 1))
  training+=(--threads "$threads")
}

# Five tasks of two digits of DATA, and N tasks with the pixels of DATA in an order that comes from SEED, the first as they
# are, into the array `tasks`.
split_tasks() {  # DATA
  local digits
  tasks=()
  for digits in 0-1 2-3 4-5 6-7 8-9; do tasks+=("$digits=$1,classes=$digits"); done
}
permuted_tasks() {  # DATA N SEED
  local k
  tasks=("p1=$1")
  for ((k = 2; k <= $2; k++)); do tasks+=("p$k=$1,permute=$((1000 * $3 + k))"); done
}

# lambda_of EXPERIMENT METHOD SCENARIO: `lambda` where it is given, else what choose-lambda.sh found, as lambdas.txt has it; 0
# for methods that have none. Of lwf and ebll it is the weight of what is distilled. mas-test and mas-both have that of mas.
lambda_of() {
  local method=$2
  case $method in
    finetune | joint) echo 0; return ;;
    mas-test | mas-both) method=mas ;;
  esac
  [ -z "${lambda-}" ] || { echo "$lambda"; return; }
  awk -v r="$1" -v m="$method" -v s="$3" '
    $1 == r && $2 == m && $3 == s { print $4; found = 1 }
    END { if (!found) exit 1 }' "$lambdas"
}

# need_lambdas EXPERIMENT SCENARIO METHOD...: the recipe stops where lambdas.txt lacks some.
need_lambdas() {
  local method missing=''
  for method in "${@:3}"; do
    lambda_of "$1" "$method" "$2" >/dev/null && continue
    method=${method/#mas-*/mas}
    [[ " $missing " == *" $method "* ]] || missing+="${missing:+ }$method"
  done
  [ -n "$missing" ] || return 0
  echo "$lambdas: no λ of $1, scenario $2, for $missing; find each by choose-lambda.sh --method ${missing%% *} --scenario $2 --arch $arch --step ${step:-gradient} with the same data and training (${training[*]}) and add a line such as '$1 ${missing%% *} $2 λ', or give --lambda for all methods" >&2
  exit 1
}

# test_spec SPEC: its test part, as mas-eval takes it.
test_spec() {
  case ,$1, in
    *,split=train:* | *,split=0.*) sed -E 's/,split=(train:)?([0-9])/,split=test:\2/' <<<"$1" ;;
    *,split=train,*) echo "${1/,split=train/,split=test}" ;;
    *) echo "$1,split=test" ;;
  esac
}

# learn METHOD SCENARIO SEED LAMBDA OUT: OUT is the model after the last of `tasks`. `xi` is SI's, `step` the
# penalty's; `init` has first weights. In the folder `firsts`, where there is one, models after a first task are kept for
# other runs that begin alike. What in_parallel() calls may do nothing else: the processor's time so far goes to a file beside OUT.
# Importance is measured on `fed_specs`, where they are set, and by the recipe's feed(), where it has one of its own. Where `keep_each`
# is, the model after each task stays as OUT.TASK.
# An estimator is a method too: MAS with it, the Ω of each task divided by its mean; and so is mas-test or mas-both, with
# Ω of the test part, whose labels nobody reads, or of both.
learn() {
  [ ! -e "$5" ] || return 0
  mkdir -p "$(dirname "$5")"
  if [ "$1" = joint ]; then learn_jointly "${@:2}"; else learn_in_turn "$@"; fi
  times >"$5.times"
  mv "$5.part" "$5"
  local model there=0
  for model in "${used[@]}"; do [ ! -e "$model" ] || there=$((there + 1)); done
  echo "${0##*/}: learned ${5#"$models"/}${used[*]:+ ($there of ${#used[@]})}" >&2
}
used=()  # the models that a page shows

# feed MODEL OPTION...: importance after a task, on the data that the options name.
feed() { mas-importance -q --threads "$threads" "$@" -o "$1"; }

learn_in_turn() {
  local method=$1 scenario=$2 seed=$3 lambda=$4 out=$5 task
  local start=() next=(--lambda "$lambda") every=() importance=() states=() model=$out.part
  [ "$lambda" = 0 ] || next+=(--penalty-step "${step:-gradient}")  # with 0 mas-train refuses to be told a step
  case $method in
    finetune) next=(--lambda 0) ;;
    mas | mas-test | mas-both) importance=(--method mas) ;;
    per-sample | batch:*) importance=(--method mas --estimator "$method" --combine normalised) ;;
    local) importance=(--method local) ;;
    ewc) importance=(--method ewc) ;;
    online-ewc) importance=(--method ewc --combine sum) ;;
    l2 | imm-mean | imm-mode) importance=(--method l2) ;;
    si) every=(--track si --xi "${xi:-0.001}") ;;
    lwf) next=(--distill lwf --distill-weight "$lambda") ;;
    ebll) start=(--code "${code:-100}") next=(--distill ebll --distill-weight "$lambda") ;;
    *) echo "${0##*/}: $method: no such method" >&2; return 2 ;;
  esac
  for task in "${tasks[@]}"; do
    local name=${task%%=*} data=${task#*=}
    if [ "$task" = "${tasks[0]}" ]; then
      learn_first "$model" --data "$data" --task "$name" --seed "$seed" --scenario "$scenario" "${start[@]}" "${every[@]}"
    else
      mas-train -q "$model" "${next[@]}" --data "$data" --task "$name" --seed "$seed" "${every[@]}" "${training[@]}" -o "$model"
    fi
    case $method in
      imm-mean) cp "$model" "$out.$name" ;;
      imm-mode) mas-importance -q --threads "$threads" "$model" --method ewc --reset -o "$out.$name" ;;
    esac
    states+=("$out.$name")
    [ -z "${keep_each:-}" ] || cp "$model" "$out.$name"
    if [ "$task" = "${tasks[-1]}" ] || [ "${#importance[@]}" -eq 0 ]; then continue; fi
    local spec fed=()
    for spec in $(specs_fed "$method" "$data"); do fed+=(--data "$spec"); done
    feed "$model" "${importance[@]}" "${fed[@]}"
  done
  case $method in
    imm-*) mas-train -q --merge "${method#imm-}" "${states[@]}" -o "$model" && rm "${states[@]}" ;;
  esac
}

# specs_fed METHOD SPEC: of the data that importance is measured on, where they aren't those that the task has learned.
specs_fed() {
  case $1 in
    mas-test) test_spec "$2" ;;
    mas-both) echo "$2 $(test_spec "$2")" ;;
    *) echo "${fed_specs:-}" ;;
  esac
}

# learn_first OUT OPTION...
learn_first() {
  local out=$1 kept='' network=(--arch "$arch")
  shift
  [ -z "${init:-}" ] || network+=(--init "$init")
  if [ -n "${firsts:-}" ]; then
    mkdir -p "$firsts"
    kept=$firsts/$(sha256sum <<<"$*" | cut -c1-16).h5
    [ ! -e "$kept" ] || { cp "$kept" "$out"; return; }
  fi
  mas-train -q "${network[@]}" "$@" "${training[@]}" -o "$out"
  [ -z "$kept" ] || { cp "$out" "$kept.$BASHPID" && mv "$kept.$BASHPID" "$kept"; }
}

learn_jointly() {
  local scenario=$1 seed=$2 out=$4 task all=()
  for task in "${tasks[@]}"; do all+=(--task "${task%%=*}" --data "${task#*=}"); done
  firsts='' learn_first "$out.part" --scenario "$scenario" --seed "$seed" "${all[@]}"
}

# in_parallel FUNCTION: calls it with the words of each line of standard input, `jobs` at a time. Fails where one did.
in_parallel() {
  local call=$1 line started=() pid failed=0
  while [ "$failed" -eq 0 ] && read -r line; do
    # shellcheck disable=SC2086
    $call $line &
    started+=($!)
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || failed=1; done
  done
  # Each is asked: of those that end while nobody waits, wait -n forgets how.
  for pid in "${started[@]}"; do wait "$pid" || failed=1; done
  return $failed
}

# summarise OUT MODEL...: the measures of runs as JSON, taken once unless a model is newer.
summarise() {
  local out=$1 model fresh=yes
  shift
  [ "$(cat "$out.of" 2>/dev/null)" = "$*" ] || fresh=no
  for model in "$@"; do [ "$out" -nt "$model" ] || fresh=no; done
  [ $fresh = no ] || return 0
  mas-eval --runs "$@" --json --threads "$threads" >"$out.part"
  mv "$out.part" "$out"
  echo "$*" >"$out.of"
}

# run_cells: what a page shows, a line of standard input each: the words that the recipe's run() and model() take, which get a
# seed behind them. Runs each with all `seeds`. `used` gets the models.
run_cells() {
  local cells cell seed
  readarray -t cells
  # shellcheck disable=SC2086
  for cell in "${cells[@]}"; do
    for seed in $seeds; do used+=("$(model $cell "$seed")"); done
  done
  for cell in "${cells[@]}"; do
    for seed in $seeds; do echo "$cell $seed"; done
  done | in_parallel run
}
# files_of ENDING WORD...: those beside the models of a cell, one for each seed, into the array `files`.
files_of() {
  local seed
  files=()
  for seed in $seeds; do files+=("$(model "${@:2}" "$seed")$1"); done
}
# learn_cells: the same, and summarises each into the recipe's summary_file(), which takes the line's words.
learn_cells() {
  local cells
  readarray -t cells
  run_cells < <(printf '%s\n' "${cells[@]}")
  printf '%s\n' "${cells[@]}" | in_parallel summarise_cell
}
summarise_cell() {
  local files
  files_of '' "$@"
  summarise "$(summary_file "$@")" "${files[@]}"
}

# For jq: a fraction in percent with two digits; a statistic of summarise() as mean and deviation; and of two lists of runs with
# the same seeds how much more the first has, with the 95 % interval of that by Student's t.
percent='
  def group: if (.groups | length) != 1 then error("runs that differ in more than their seeds") else .groups[0] end;
  def fixed(digits): pow(10; digits) as $p | (. * $p | round) as $n | ($n | fabs) as $a
    | (if $n < 0 then "-" else "" end) + ($a / $p | floor | tostring) + "." + ($p + $a % $p | tostring | .[1:]);
  def percent: . * 100 | fixed(2);
  def spread(digits): "\(.mean * 100 | fixed(digits))" + if .deviation then " ± \(.deviation * 100 | fixed(digits))" else "" end;
  def spread: spread(2);
  def signed: (if . > 0 then "+" else "" end) + (. * 100 | fixed(2));
  def student: . as $n | [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622][$n - 1]
    // 1.959964 + 2.37227 / $n + 2.82249 / ($n * $n) + 2.5558 / ($n * $n * $n);  # Cornish and Fisher
  def above: transpose | map(.[0] - .[1]) | length as $n | (add / $n) as $mean
    | if $n == 1 then $mean | signed
      else (($n - 1 | student) * (map((. - $mean) | . * .) | add / ($n - 1) / $n | sqrt)) as $half
        | "\($mean | signed) (\($mean - $half | signed) to \($mean + $half | signed))" end;'

# cell MEASURE FILE [DIGITS]: mean and deviation, in percent, from what summarise() wrote of one group of runs; - where the
# method has no such measure, as joint training and merging have no forgetting.
cell() {
  jq -r --arg name "$1" --argjson digits "${3:-2}" "$percent"' group[$name] | if . then spread($digits) else "-" end' "$2"
}

# of_task I MEASURE FILE: mean and deviation of the task's accuracy or drop, from what summarise() wrote.
of_task() {
  jq -r --argjson i "$1" --arg name "$2" "$percent"'group[$name][$i] | if . then spread else "-" end' "$3"
}

# above I MEASURE FILE REFERENCE: how much more of the task runs have than those of the reference with the same seeds.
above() {
  jq -rs --argjson i "$1" --arg name "$2" "$percent"' map(group[$name][$i].values) | above' "$3" "$4"
}

# write_json OUT NAME=FILE...: how results were made, and the objects in the files under these names.
write_json() {
  local out=$1 comma='' part quoted=${command//\\/\\\\}
  shift
  mkdir -p "$(dirname "$out")"
  {
    printf '{"command": "%s", "version": "%s", "date": "%s", "core_seconds": %d, "results": {' \
      "${quoted//\"/\\\"}" "$(mas-train --version)" "$(made_on)" "$(core_seconds)"
    for part in "$@"; do
      printf '%s\n"%s": ' "$comma" "${part%%=*}"
      jq 'walk(if type == "string" then sub("^.*/(?=[^/]*[.]h5$)"; "") else . end)' "${part#*=}"  # models without folders
      comma=,
    done
    printf '}}\n'
  } >"$out.part"
  mv "$out.part" "$out"
}

# made_by: the line of a page that says how its numbers were made, of the models in the array `used`.
made_by() {
  local seconds time
  seconds=$(core_seconds)
  time="$((seconds / 60)) minutes"
  [ "$seconds" -ge 120 ] || time="$seconds seconds"
  printf '`%s`, seeds %s; %s, %s, %s of one core.\n\n' "$command" "$seeds" "$(mas-train --version)" "$(made_on)" "$time"
}
made_on() {
  local model newest=${used[0]}
  for model in "${used[@]}"; do [ ! "$model" -nt "$newest" ] || newest=$model; done
  date -u -r "$newest" +%F
}
# Of children, in all.
core_seconds() {
  awk 'FNR == 2 { for (i = 1; i <= 2; i++) { split($i, t, "m"); s += 60 * t[1] + t[2] } } END { printf "%d\n", s }' \
    "${used[@]/%/.times}"
}

# need PROGRAM...: the recipe stops where one isn't there.
need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null && continue
    echo "${0##*/}: needs $program (apt-get install ${program/gnuplot/gnuplot-nox})" >&2
    exit 1
  done
}

# draw FILE.svg COMMANDS: of gnuplot.
draw() {
  gnuplot -e "set terminal svg size 640,400 noenhanced; set output '$1.part'; set key below horizontal; $2"
  mv "$1.part" "$1"
}
